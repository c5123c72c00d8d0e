/** What a write with `dryRun=true` answers: what would follow from it. Nothing was changed. */
import type { Step } from './schema';

export interface Forecast {
  /** The version that the write would make. */
  version: string;
  /** The steps of the deployment. */
  steps: Step[];
  /** The apps and pods that would change. */
  changes: PlannedChange[];
}

export interface PlannedChange {
  /** Either this or `pod`. */
  app?: string;
  pod?: string;
  change: 'create' | 'update' | 'remove';
  /** Where the definitions differ; empty for what is created or removed. */
  differences: Difference[];
}

export interface Difference {
  /** `/upgradeStrategy/maximumOverCapacity` */
  path: string;
  /** What is there before; null: nothing. */
  from: unknown;
  /** What is there after; null: nothing. */
  to: unknown;
}
