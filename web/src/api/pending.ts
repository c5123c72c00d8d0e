/** Shapes of answers that the OpenAPI file does not describe yet. */
export interface AgentResources {
  cpus: number;
  mem: number;
  disk: number;
  gpus: number;
  ports: string;
}
export interface Agent {
  id: string;
  hostname: string;
  address: string;
  attributes: Record<string, string>;
  active: boolean;
  resources: AgentResources;
  used: AgentResources;
  registeredTime: string;
  version: string;
}
export interface TaskLog {
  data: string;
  offset: number;
}
export interface AppTraffic {
  requests: number;
  requestsPerSecond: number;
  errors: number;
  connections: number;
  bytesIn: number;
  bytesOut: number;
  p50Ms: number;
  p99Ms: number;
}
export interface Traffic {
  loadBalancers: { name: string; apps: Record<string, AppTraffic> }[];
}
