/** Follows the event stream and hands events over in batches, so that a storm costs one update of the page, not a thousand. */
import { withQuery } from '../api/client';
import { EVENT_TYPES, type ClusterEvent, type Recorded } from './events';

export interface StreamListener {
  /** How long events are gathered before they are handed over. */
  batchMs(): number;
  /** Events in their order. */
  events(batch: Recorded[]): void;
  live(): void;
  /** The stream is away; it is being tried again. */
  away(): void;
}

const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 15_000;

export class EventStream {
  #source: EventSource | null = null;
  #batch: Recorded[] = [];
  #flush: ReturnType<typeof setTimeout> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #retryMs = RETRY_FIRST_MS;

  /** `position`: the last event that the reader has seen; null follows from now on. */
  constructor(
    private position: number | null,
    private readonly listener: StreamListener,
  ) {
    // A connection that a sleeping machine or a lost network left behind looks open for long: the browser knows better.
    addEventListener('offline', this.#lost);
    addEventListener('online', this.#found);
    this.#open();
  }

  close(): void {
    removeEventListener('offline', this.#lost);
    removeEventListener('online', this.#found);
    clearTimeout(this.#flush);
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#source = null;
  }

  readonly #lost = () => this.listener.away();
  readonly #found = () => {
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#open();
  };

  #open(): void {
    const source = new EventSource(withQuery('/v2/events', { lastEventId: this.position ?? undefined }));
    this.#source = source;
    source.onopen = () => {
      this.#retryMs = RETRY_FIRST_MS;
      this.listener.live();
    };
    source.onerror = () => {
      this.listener.away();
      // The browser tries again by itself after a broken connection, but not after an answer that was no stream.
      if (source.readyState === EventSource.CLOSED) this.#again();
    };
    for (const type of EVENT_TYPES) source.addEventListener(type, (message) => this.#take(message));
  }

  #again(): void {
    this.#source?.close();
    this.#retry = setTimeout(() => this.#open(), this.#retryMs);
    this.#retryMs = Math.min(RETRY_MAX_MS, this.#retryMs * 2);
  }

  #take(message: MessageEvent<string>): void {
    const id = message.lastEventId === '' ? null : Number(message.lastEventId);
    if (id !== null) this.position = id;
    const event = JSON.parse(message.data) as ClusterEvent;
    this.#batch.push({ id, event });
    this.#flush ??= setTimeout(() => {
      this.#flush = undefined;
      this.listener.events(this.#batch.splice(0));
    }, this.listener.batchMs());
  }
}
