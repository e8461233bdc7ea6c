export { Dashboard, type DashboardSource } from './dashboard.ts';
export type { Page, PageGroup } from './pages.ts';
