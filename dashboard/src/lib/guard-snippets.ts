/** How an application is told of its project: what to write down where. */

import type { GuardSecrets } from "./guard-types";

/** Where the agents of a project report, below the address of this server. */
export function guardEndpoint(origin: string): string {
  return `${origin.replace(/\/+$/, "")}/dialects/guard`;
}

/** The secrets as the environment of the application; those that there are. */
export function environmentOf(secrets: GuardSecrets): string {
  return secretsOf(secrets)
    .map(({ variable, value }) => `${variable}=${value}\n`)
    .join("");
}

/** For the middleware of FastAPI, with rules from here; its secrets stay out of the source. */
export function pythonSnippet(secrets: GuardSecrets, origin: string): string {
  return [
    "# pip install fastapi-guard guard-agent",
    "import os",
    "from fastapi import FastAPI",
    "from guard import SecurityConfig, SecurityMiddleware",
    "",
    "app = FastAPI()",
    "app.add_middleware(SecurityMiddleware, config=SecurityConfig(",
    "    enable_agent=True,",
    "    enable_dynamic_rules=True,",
    `    agent_endpoint=${JSON.stringify(guardEndpoint(origin))},`,
    `    agent_project_id=${JSON.stringify(secrets.project)},`,
    ...secretsOf(secrets).map(({ option, variable }) => `    ${option}=os.environ["${variable}"],`),
    "))",
    "",
  ].join("\n");
}

function secretsOf(secrets: GuardSecrets): { option: string; variable: string; value: string }[] {
  const all = [
    { option: "agent_api_key", variable: "GUARD_API_KEY", value: secrets.key },
    { option: "agent_payload_signing_secret", variable: "GUARD_SIGNING_SECRET", value: secrets.signing_secret },
    { option: "agent_project_encryption_key", variable: "GUARD_ENCRYPTION_KEY", value: secrets.encryption_key },
  ];
  return all.flatMap(({ option, variable, value }) => (value === null ? [] : [{ option, variable, value }]));
}
