export { Dashboard, type DashboardSource } from './dashboard.ts';
export type { EnrolledNamespace, MeshView, Page, PageGroup } from './pages.ts';
