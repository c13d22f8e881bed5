import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDockerfile } from "../dockerfile/parse.ts";
import { planBuild } from "../plan.ts";
import { Checks } from "./index.ts";
import { type rules, ruleUrl } from "./rules.ts";

/** The findings in a Dockerfile, as "rule line: message". */
function findings(text: string, options?: string, patterns: string[] = []): string[] {
  const dockerfile = parseDockerfile(text);
  const checks = new Checks(dockerfile, options);
  const empty = { directory: "", index: undefined as never, ignored: [] };
  const plan = planBuild(dockerfile, { dockerfile: text, context: empty }, checks);
  for (const { stage } of plan.stages) {
    checks.variables(stage.instructions, ["PATH"]);
    checks.ignored(stage.instructions, patterns);
    // The name says what the image would be for.
    const [os = "", architecture = ""] = stage.base.split("-");
    if (architecture !== "")
      checks.basePlatform(
        stage.base,
        { os, architecture },
        { os: "linux", architecture: "amd64" },
        stage.location,
      );
  }
  return checks.warnings.map(({ rule, message, location }) => `${rule} ${location.line}: ${message}`);
}

const cases: Record<keyof typeof rules, { odd: string; says: string; sound: string }> = {
  StageNameCasing: {
    odd: "FROM a AS Base",
    says: "1: Stage name 'Base' should be lowercase",
    sound: "FROM a AS base",
  },
  FromAsCasing: {
    odd: "FROM a as b",
    says: "1: 'as' and 'FROM' keywords' casing do not match",
    sound: "from a as b",
  },
  NoEmptyContinuation: {
    odd: "FROM a\nRUN x \\\n\n  y",
    says: "3: Empty continuation line",
    sound: "FROM a\nRUN x \\\n# why\n  y",
  },
  ConsistentInstructionCasing: {
    odd: "FROM a\nRun x\nRUN y",
    says: "2: Command 'Run' should match the case of the command majority (uppercase)",
    sound: "from a\nrun x\nrun y",
  },
  DuplicateStageName: {
    odd: "FROM a AS b\nFROM a AS b",
    says: '2: Duplicate stage name "b", stage names should be unique',
    sound: "FROM a AS b\nFROM a AS c",
  },
  ReservedStageName: {
    odd: "FROM a AS context",
    says: '1: Stage name should not use the same name as reserved stage "context"',
    sound: "FROM a AS contexts",
  },
  JSONArgsRecommended: {
    odd: "FROM a\nCMD x",
    says: "2: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
    sound: 'FROM a\nSHELL ["sh"]\nCMD x\nENTRYPOINT ["x"]',
  },
  MaintainerDeprecated: {
    odd: "FROM a\nMAINTAINER me",
    says: "2: Maintainer instruction is deprecated in favor of using label",
    sound: "FROM a\nLABEL maintainer=me",
  },
  UndefinedArgInFrom: {
    odd: "FROM a:1${TARGTARCH}",
    says: "1: FROM argument 'TARGTARCH' is not declared (did you mean TARGETARCH?)",
    sound: "ARG V=1\nFROM a:${V}${W:-1}$TARGETARCH",
  },
  WorkdirRelativePath: {
    odd: "FROM a\nWORKDIR b",
    says: '2: Relative workdir "b" can have unexpected results if the base image changes',
    sound: "FROM a AS c\nWORKDIR /b\nWORKDIR c\nFROM c\nWORKDIR d",
  },
  UndefinedVar: {
    odd: "FROM a\nARG VERSION\nCOPY x $VERSOIN",
    says: "3: Usage of undefined variable '$VERSOIN' (did you mean $VERSION?)",
    sound: "FROM a\nARG b=1 c=$b\nENV d=$c e=${x:-1} f=$PATH\nRUN $nothing\nUSER $e",
  },
  MultipleInstructionsDisallowed: {
    odd: 'FROM a\nCMD ["x"]\nCMD ["y"]',
    says: "2: Multiple CMD instructions should not be used in the same stage because only the last one will be used",
    sound: 'FROM a\nCMD ["x"]\nFROM a\nCMD ["y"]',
  },
  LegacyKeyValueFormat: {
    odd: "FROM a\nENV b c",
    says: '2: "ENV key=value" should be used instead of legacy "ENV key value" format',
    sound: 'FROM a\nENV b="c d"\nLABEL c=d',
  },
  RedundantTargetPlatform: {
    odd: "FROM --platform=$TARGETPLATFORM a",
    says: "1: Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
    sound: "FROM --platform=$BUILDPLATFORM a",
  },
  SecretsUsedInArgOrEnv: {
    odd: "FROM a\nARG API_TOKEN",
    says: '2: Do not use ARG or ENV instructions for sensitive data (ARG "API_TOKEN")',
    sound: "FROM a\nENV PUBLIC_KEY=1 tokens=1",
  },
  InvalidDefaultArgInFrom: {
    odd: "ARG V\nFROM a:$V",
    says: "2: Default value for ARG a:$V results in empty or invalid base image name",
    sound: "ARG V\nFROM a:${V:-1}",
  },
  FromPlatformFlagConstDisallowed: {
    odd: "FROM --platform=linux/amd64 a",
    says: '1: FROM --platform flag should not use constant value "linux/amd64"',
    sound: "FROM --platform=linux/amd64 a AS build_amd64",
  },
  CopyIgnoredFile: {
    odd: "FROM a\nCOPY ./ignored/x /",
    says: '2: Attempting to Copy file "./ignored/x" that is excluded by .dockerignore',
    sound: "FROM a\nCOPY . /\nCOPY --from=b ignored /",
  },
  InvalidBaseImagePlatform: {
    odd: "FROM linux-arm64",
    says: '1: Base image linux-arm64 was pulled with platform "linux/arm64", expected "linux/amd64" for current build',
    sound: "FROM linux-amd64",
  },
  InvalidDefinitionDescription: {
    odd: "# some\nFROM a AS b",
    says: "2: Comment for stage should follow the format: `# b <description>`",
    sound: "# b does it\nFROM a AS b\n# not of it\n\nARG V",
  },
  ExposeProtoCasing: {
    odd: "FROM a\nEXPOSE 80/TCP",
    says: "2: Defined protocol '80/TCP' in EXPOSE instruction should be lowercase",
    sound: "FROM a\nEXPOSE 80/tcp",
  },
  ExposeInvalidFormat: {
    odd: "FROM a\nEXPOSE 127.0.0.1:80:80",
    says: "2: EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:80'",
    sound: "FROM a\nEXPOSE ${P:-80} 90-91",
  },
};

for (const [rule, { odd, says, sound }] of Object.entries(cases)) {
  test(rule, () => {
    const all = (text: string): string[] => {
      try {
        return findings(text, "experimental=all", ["ignored"]);
      } catch (error) {
        // What the arguments lead to may be no image's name.
        assert.equal(rule, "InvalidDefaultArgInFrom");
        throw error;
      }
    };
    assert.deepEqual(
      all(odd).filter((finding) => finding.startsWith(`${rule} `)),
      [`${rule} ${says}`],
    );
    assert.deepEqual(
      all(sound).filter((finding) => finding.startsWith(`${rule} `)),
      [],
    );
    assert.deepEqual(
      findings(odd, `experimental=all;skip=${rule}`, ["ignored"]).filter((finding) =>
        finding.startsWith(`${rule} `),
      ),
      [],
    );
  });
}

test("what a Dockerfile says of its checks", () => {
  const odd = "FROM a as b\nMAINTAINER me";
  assert.equal(findings(`# check=skip=FromAsCasing\n${odd}`).length, 1);
  assert.equal(findings(`# check=skip=all\n${odd}`).length, 0);
  assert.equal(findings(`# check=skip=all\n${odd}`, "skip=MaintainerDeprecated").length, 1);
  assert.equal(findings("# note\nFROM a AS b").length, 0);
  const failing = new Checks(parseDockerfile(`# check=error=true\n${odd}`), undefined);
  failing.text(new Map(), new Map());
  assert.throws(() => failing.settle(), /lint violation found for rules: FromAsCasing, MaintainerDeprecated/);
  assert.throws(() => findings(`# check=colour=red\n${odd}`), /line 1: invalid check option "colour"/);
});

test("where a rule is explained", () => {
  assert.equal(
    ruleUrl("JSONArgsRecommended"),
    "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/",
  );
  assert.equal(
    ruleUrl("UndefinedArgInFrom"),
    "https://docs.docker.com/go/dockerfile/rule/undefined-arg-in-from/",
  );
});
