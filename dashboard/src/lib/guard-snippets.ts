/** How an application is told of its project: what to write down, in a Python and in a Rust application. */

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
    ...secretsOf(secrets).map(({ option, variable }) => `    agent_${option}=os.environ["${variable}"],`),
    "))",
    "",
  ].join("\n");
}

/** For an axum application, guarded by a layer of ours, with rules from here. */
export function rustSnippet(secrets: GuardSecrets, origin: string): string {
  const others = secretsOf(secrets).slice(1);
  return [
    "use ringwall_app_guard::GuardSettings;",
    "use ringwall_app_guard_layer::GuardLayer;",
    "use ringwall_app_guard_layer::telemetry::{Telemetry, TelemetryOptions};",
    "use std::{env, sync::Arc};",
    "",
    "let telemetry = Telemetry::start(TelemetryOptions {",
    `    project_id: Some(${JSON.stringify(secrets.project)}.into()),`,
    ...others.map(({ option, variable }) => `    ${option}: Some(env::var("${variable}")?),`),
    `    ..TelemetryOptions::new(${JSON.stringify(guardEndpoint(origin))}, env::var("GUARD_API_KEY")?)`,
    "})",
    ".await?;",
    "let guard = GuardLayer::builder(GuardSettings::default()).sink(Arc::new(telemetry.clone())).build()?;",
    "telemetry.guide(guard.handle());",
    "let app = app.layer(guard);",
    "",
  ].join("\n");
}

/** What there is of the secrets, the key first: its value, the variable, and the option of an agent. */
function secretsOf(secrets: GuardSecrets): { option: string; variable: string; value: string }[] {
  const all = [
    { option: "api_key", variable: "GUARD_API_KEY", value: secrets.key },
    { option: "payload_signing_secret", variable: "GUARD_SIGNING_SECRET", value: secrets.signing_secret },
    { option: "project_encryption_key", variable: "GUARD_ENCRYPTION_KEY", value: secrets.encryption_key },
  ];
  return all.flatMap(({ option, variable, value }) => (value === null ? [] : [{ option, variable, value }]));
}
