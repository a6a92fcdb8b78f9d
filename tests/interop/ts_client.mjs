// The TypeScript SDKs: `node ts_client.mjs URL ERA PACKAGE`, in the folder of their packages.
const [url, era, name] = process.argv.slice(2);
const one = name.endsWith("/sdk");
const { Client } = await import(one ? `${name}/client/index.js` : name);
const { StreamableHTTPClientTransport } = await import(one ? `${name}/client/streamableHttp.js` : name);

const options = one || era === "legacy" ? {} : { versionNegotiation: { mode: "auto" } };
const client = new Client({ name: "interop", version: "1" }, options);
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
const call = async (tool, args) => await client.callTool({ name: tool, arguments: args });
const tools = (await client.listTools()).tools.map((tool) => tool.name);
const first = await call("add", { left: 1, right: 2 });
const denied = await call("delete_everything", { path: "/" });
const again = await call("add", { left: 2, right: 3 });
console.log(JSON.stringify({
  version: "", tools, first: first.content[0].text, denied: denied.content[0].text,
  is_error: denied.isError, again: again.content[0].text,
}));
await client.close();
process.exit(0);
