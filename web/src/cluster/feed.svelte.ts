/** The events of this cluster, newest first: those that came while the page was open, and a stretch from before. */
import { withQuery } from '../api/client';
import { EVENT_TYPES, type ClusterEvent, type Recorded } from './events';

const KEPT = 5_000;
/** How far back the stretch from before goes, as a distance of ids: about three hundred facts. */
const BEFORE = 3_000_000;
/** The stretch is over when nothing more comes for so long: its last event may be one that is not kept for us. */
const QUIET_MS = 300;
const FIRST_MS = 3_000;

export class Feed {
  /** Oldest first. Plain, because there are many: `revision` moves when it changes. */
  readonly events: Recorded[] = [];
  revision = $state(0);
  /** Whether what happened before is in, or as much of it as there is. */
  complete = $state(false);
  #begin: number | null = null;
  #earlierRead = false;

  /** Says from which position the page follows. */
  begin(position: number | null): void {
    this.#begin ??= position;
  }

  add(batch: readonly Recorded[]): void {
    const last = this.events.at(-1)?.id ?? 0;
    // A stream that was followed again from an earlier position brings some twice.
    const fresh = batch.filter(({ id }) => id !== null && id > last);
    if (fresh.length === 0) return;
    this.events.push(...fresh);
    if (this.events.length > KEPT) this.events.splice(0, this.events.length - KEPT);
    this.revision += 1;
  }

  /** From where a version was written, if that was heard of. */
  writerOf(version: string): string | null {
    const found = this.events.findLast(({ event }) => event.timestamp === version && 'clientIp' in event)?.event;
    return found && 'clientIp' in found ? found.clientIp : null;
  }

  /** Reads what happened shortly before the page was opened, once. */
  readEarlier(): void {
    const end = this.#begin;
    if (this.#earlierRead || end === null) return;
    this.#earlierRead = true;
    const earlier: Recorded[] = [];
    const source = new EventSource(withQuery('/v2/events', { lastEventId: Math.max(0, end - BEFORE) }));
    const done = () => {
      clearTimeout(patience);
      source.close();
      this.complete = true;
      this.events.unshift(...earlier);
      this.revision += 1;
    };
    let patience = setTimeout(done, FIRST_MS);
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) done();
    };
    for (const type of EVENT_TYPES) {
      source.addEventListener(type, (message: MessageEvent<string>) => {
        clearTimeout(patience);
        patience = setTimeout(done, QUIET_MS);
        const id = Number(message.lastEventId);
        if (message.lastEventId === '' || type === 'event_stream_reset') return;
        if (id <= end) earlier.push({ id, event: JSON.parse(message.data) as ClusterEvent });
        else done();
      });
    }
  }
}
