// A back end over Redis: starts a session, prints the events of its day, stops it.
//
//   npm install redis
//   ALGOEXEC_REDIS_URL=redis://127.0.0.1:6379 algoexec serve
//   node back_end.mjs redis://127.0.0.1:6379 123 "$UPSTOX_TOKEN" 60      # for 60 seconds
import { randomUUID } from "node:crypto";
import { createClient } from "redis";

const [url, userId, accessToken, seconds = "60"] = process.argv.slice(2);
const client = await createClient({ url }).connect();
const events = await client.duplicate().connect();

let answered;
const answers = new Map();

await events.subscribe("trading:events", (text) => {
  const { type, seq, session_id, at, data } = JSON.parse(text);
  if (type === "command" || type === "error") {
    answers.get(data.command_id)?.(data);
  }
  console.log(at, session_id ?? "-", seq ?? "-", type, summary(type, data));
});

// By the stream, so that nothing is lost should the service be away just now.
async function command(action, data) {
  const command_id = randomUUID();
  const answer = new Promise((resolve) => answers.set(command_id, resolve));
  const text = JSON.stringify({ action, user_id: userId, command_id, data });
  await client.xAdd("trading:commands:stream", "*", { command: text });
  return answer;
}

function summary(type, data) {
  switch (type) {
    case "session":
      return `${data.status} feed ${data.feed}`;
    case "signal":
      return `${data.side} ${data.pattern} at ${data.price}, stop ${data.stop_loss}, target ${data.target}`;
    case "trade":
      return `net ${data.net} (${data.reason})`;
    case "error":
      return `${data.problem.code}: ${data.problem.detail}`;
    case "alert":
      return `${data.severity} ${data.message}`;
    default:
      return "";
  }
}

const begun = await command("START_TRADING", {
  access_token: accessToken,
  config: { stopLossPercent: 0.2, targetPercent: 0.4 },
});
if (begun.ok) {
  await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1000));
  answered = await command("STOP_TRADING", {});
  console.log(`session ${answered.session?.id} is ${answered.session?.status}`);
}
await events.close();
await client.close();
process.exit(begun.ok && answered?.ok ? 0 : 1);
