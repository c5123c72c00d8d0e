/** A read that many events ask for: done once, a little later, never twice at the same time. */
export class Later {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running = false;
  #again = false;

  constructor(
    private readonly delayMs: number,
    private readonly read: () => Promise<void>,
  ) {}

  soon(): void {
    this.#timer ??= setTimeout(() => this.now(), this.delayMs);
  }

  now(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = true;
    // What fails, fails because the server is away; when it is back, everything is read anew.
    void this.read()
      .catch(() => undefined)
      .finally(() => {
        this.#running = false;
        if (this.#again) {
          this.#again = false;
          this.soon();
        }
      });
  }
}
