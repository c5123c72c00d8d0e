/** Widths at which more than styles change. */
class Media {
  phone = $state(false);

  constructor() {
    const query = matchMedia('(width < 720px)');
    this.phone = query.matches;
    query.addEventListener('change', () => (this.phone = query.matches));
  }
}

export const media = new Media();
