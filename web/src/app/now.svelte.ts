/** The present, moved once a second for whatever shows how long ago something was. */
class Now {
  ms = $state(Date.now());

  constructor() {
    setInterval(() => {
      if (!document.hidden) this.ms = Date.now();
    }, 1_000);
  }
}

export const now = new Now();
