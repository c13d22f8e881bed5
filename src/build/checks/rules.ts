import type { Location } from "../dockerfile/location.ts";

/** A build check's finding: https://docs.docker.com/reference/build-checks/ */
export interface Warning {
  rule: string;
  message: string;
  location: Location;
}

/** What the rules are called; those that are asked for by name only are true. */
export const rules = {
  StageNameCasing: false,
  FromAsCasing: false,
  NoEmptyContinuation: false,
  ConsistentInstructionCasing: false,
  DuplicateStageName: false,
  ReservedStageName: false,
  JSONArgsRecommended: false,
  MaintainerDeprecated: false,
  UndefinedArgInFrom: false,
  WorkdirRelativePath: false,
  UndefinedVar: false,
  MultipleInstructionsDisallowed: false,
  LegacyKeyValueFormat: false,
  RedundantTargetPlatform: false,
  SecretsUsedInArgOrEnv: false,
  InvalidDefaultArgInFrom: false,
  FromPlatformFlagConstDisallowed: false,
  CopyIgnoredFile: false,
  InvalidDefinitionDescription: true,
  ExposeProtoCasing: false,
  InvalidBaseImagePlatform: false,
  ExposeInvalidFormat: false,
} as const;

export type Rule = keyof typeof rules;

/** Takes a finding. */
export type Report = (rule: Rule, location: Location, message: string) => void;

/** Where a rule is explained. */
export const ruleUrl = (rule: string): string =>
  `https://docs.docker.com/go/dockerfile/rule/${rule.replace(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, "-").toLowerCase()}/`;
