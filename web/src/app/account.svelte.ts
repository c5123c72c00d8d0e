/** Who is looking, where one has to say so, and what that one may do. What may not be done is not offered; the server judges. */
import { api, ApiError, unauthorized } from '../api/client';
import type { Grant, Permission } from '../api/schema';

/** `unknown`: not asked yet. `in`: the page can be used. `out`: a name and a password are asked for. */
export type Standing = 'unknown' | 'in' | 'out';

/** Whether `grants` hold a permission at a path, or at one around it. An admin may do everything; whoever may do anything may look. */
export function allows(grants: readonly Grant[], permission: Permission, path: string): boolean {
  return grants.some(
    ({ path: at, permissions }) =>
      (at === '/' || path === at || path.startsWith(`${at}/`)) &&
      (permissions.includes(permission) ||
        permissions.includes('admin') ||
        (permission === 'view' && permissions.length > 0)),
  );
}

class Account {
  standing: Standing = $state('unknown');
  /** Null where nobody has to sign in. */
  user: string | null = $state(null);
  /** Until it is known, everything is offered. */
  #grants: readonly Grant[] = $state.raw([{ path: '/', permissions: ['admin'] }]);

  constructor() {
    unauthorized.tell = () => (this.standing = 'out');
  }

  /** Asks who is looking. A server that does not answer is another page's business. */
  async check(): Promise<void> {
    try {
      const session = await api.session();
      this.user = session.user ?? null;
      this.#grants = session.grants;
      this.standing = 'in';
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 401) && this.standing === 'unknown') this.standing = 'in';
    }
  }

  may(permission: Permission, path: string): boolean {
    return allows(this.#grants, permission, path);
  }

  /** Whether the permission is held anywhere at all. */
  mayAnywhere(permission: Permission): boolean {
    return this.#grants.some(({ path }) => allows(this.#grants, permission, path));
  }

  async signIn(user: string, password: string): Promise<void> {
    await api.signIn(user, password);
    // What was read in another's name, or in none, is forgotten.
    location.reload();
  }

  async signOut(): Promise<void> {
    await api.signOut();
    location.reload();
  }
}

export const account = new Account();
