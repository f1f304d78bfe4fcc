export default async function teardown(): Promise<void> {
  await (globalThis as { stopTestStack?: () => Promise<void> }).stopTestStack?.();
}
