import type { AppTraffic } from '../../api/schema';

/** What all load balancers together say of an app. Times are null while nothing was measured. */
export type Sample = Omit<AppTraffic, 'p50Ms' | 'p99Ms'> & { p50Ms: number | null; p99Ms: number | null };

type Amount = Exclude<keyof AppTraffic, 'p50Ms' | 'p99Ms'>;

/** Amounts add up; of times the slowest balancer's counts, since they cannot be averaged. */
export function together(parts: readonly AppTraffic[]): Sample {
  const sum = (of: Amount) => parts.reduce((total, part) => total + part[of], 0);
  return {
    requests: sum('requests'),
    requestsPerSecond: sum('requestsPerSecond'),
    errors: sum('errors'),
    connections: sum('connections'),
    bytesIn: sum('bytesIn'),
    bytesOut: sum('bytesOut'),
    p50Ms: slowest(parts.map((part) => part.p50Ms)),
    p99Ms: slowest(parts.map((part) => part.p99Ms)),
  };
}

function slowest(times: readonly (number | null | undefined)[]): number | null {
  const measured = times.filter((time) => typeof time === 'number');
  return measured.length === 0 ? null : Math.max(...measured);
}

export function errorShare(sample: Pick<Sample, 'requests' | 'errors'>): number {
  return sample.requests > 0 ? sample.errors / sample.requests : 0;
}
