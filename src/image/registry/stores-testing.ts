/** Image stores in tests. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach } from "node:test";
import { removeTree } from "../../lib/remove-tree.ts";
import { openState, type State } from "../../state/index.ts";
import { ImageStore } from "../store.ts";
import { defaultRegistryConfig, type RegistryConfig } from "./hosts.ts";

export interface OpenStore {
  state: State;
  store: ImageStore;
}

/** Answers what opens an empty store; they are closed after each test and removed after the last of the file. */
export function testStores(name: string): (config?: Partial<RegistryConfig>) => OpenStore {
  const base = mkdtempSync(join(tmpdir(), `berth-${name}-`));
  let roots = 0;
  let opened: OpenStore[] = [];
  after(() => removeTree(base));
  afterEach(async () => {
    for (const { state, store } of opened) {
      store.close();
      await store.settled();
      state.close();
    }
    opened = [];
  });
  return (config = {}) => {
    const state = openState(join(base, String(roots++)));
    const both = {
      state,
      store: new ImageStore({ state, registries: { ...defaultRegistryConfig, ...config } }),
    };
    opened.push(both);
    return both;
  };
}
