import { defineConfig } from 'vite';
import { events } from './events-plugin.ts';

export default defineConfig({
  root: import.meta.dirname,
  base: '/console/',
  plugins: [events()],
  build: {
    outDir: 'dist/page',
    emptyOutDir: true,
    // Data addresses would need a wider content security policy.
    assetsInlineLimit: 0,
    modulePreload: false,
    target: 'es2024',
  },
});
