/** Made by events-plugin.ts. */
declare module 'virtual:client-events' {
  export const CLIENT_EVENTS: readonly import('./client-event.js').ClientEvent[];
}
