export function serve(options?: {
  port?: number;
  apps?: number;
  instances?: number;
  machines?: number;
  eventsPerSecond?: number;
}): Promise<{ url: string; stop: () => void }>;
