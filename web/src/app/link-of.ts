/** Which page is about an app or a pod. */
import { cluster } from '../cluster/cluster.svelte';
import { links } from './router.svelte';

/** An id that is no pod's is an app's: of what is gone nobody knows any more. */
export function linkOf(id: string, query = ''): string {
  return cluster.pod(id) ? links.pod(id, query) : links.app(id, query);
}

export function editLinkOf(id: string): string {
  return cluster.pod(id) ? links.editPod(id) : links.edit(id);
}
