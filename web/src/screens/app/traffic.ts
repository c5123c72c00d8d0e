import type { AppTraffic } from '../../api/pending';

/** What all load balancers together say of an app. */
export type Sample = AppTraffic;

/** Amounts add up; of times the slowest balancer's counts, since they cannot be averaged. */
export function together(parts: readonly AppTraffic[]): Sample {
  const sum = (of: keyof AppTraffic) => parts.reduce((total, part) => total + part[of], 0);
  const most = (of: keyof AppTraffic) => Math.max(0, ...parts.map((part) => part[of]));
  return {
    requests: sum('requests'),
    requestsPerSecond: sum('requestsPerSecond'),
    errors: sum('errors'),
    connections: sum('connections'),
    bytesIn: sum('bytesIn'),
    bytesOut: sum('bytesOut'),
    p50Ms: most('p50Ms'),
    p99Ms: most('p99Ms'),
  };
}

export function errorShare(sample: Sample): number {
  return sample.requests > 0 ? sample.errors / sample.requests : 0;
}
