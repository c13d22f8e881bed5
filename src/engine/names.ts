import { randomInt } from "node:crypto";
import { invalid } from "../lib/errors.ts";

const qualities = (
  "able ample amber brisk broad calm candid clear coastal copper crisp daring deep eager early even fair fast " +
  "fine firm fleet fresh gentle glad golden grand hardy hale honest idle jolly keen kind level light lively lucid " +
  "mellow merry mild misty modest neat nimble noble northern patient plain proud quick quiet ready rosy salty " +
  "silent silver sleek smooth snug solid spry stable steady stormy stout sunny swift tidal tidy trim true trusty " +
  "upbeat vast vivid warm western wise young"
).split(" ");
const vessels = (
  "anchor ballast barge beacon bollard bowline bridge brig buoy cabin canal capstan caravel cargo channel chart " +
  "clipper coaster cog compass coracle crane crest current cutter davit deck derrick dhow dinghy dock dory drifter " +
  "estuary fathom felucca ferry frigate galleon gangway harbor haven hawser helm hull island jetty jib junk kayak " +
  "keel ketch lagoon lantern launch ledger lighter lookout lugger mainsail manifest mast mooring oar packet pier " +
  "pilot pinnace porthole punt quay raft reef rigging rudder sail schooner sextant shoal skiff sloop sounding spar " +
  "stern strait tender tide tiller trawler tugboat voyage wake wharf wherry windlass yacht yawl"
).split(" ");

/** A name for a container whose user gave none, free by the caller's account. */
export function generateName(isTaken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt++) {
    const quality = qualities[randomInt(qualities.length)];
    const vessel = vessels[randomInt(vessels.length)];
    const name = attempt < 8 ? `${quality}_${vessel}` : `${quality}_${vessel}${randomInt(1_000_000)}`;
    if (!isTaken(name)) return name;
  }
}

/** The name without its optional leading slash; throws dockerd's text for one that is not allowed. */
export function checkName(name: string): string {
  const bare = name.startsWith("/") ? name.slice(1) : name;
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(bare)) {
    throw invalid(`Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  }
  return bare;
}
