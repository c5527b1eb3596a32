// fhir-kit-client does its job against a server; each step prints one line of JSON: its name and what came of it.
// Arguments: base address, token, mark.
import { Client } from "fhir-kit-client";

const [base, token, mark] = process.argv.slice(2);

const fhir = new Client({ baseUrl: base, bearerToken: token });
const system = "urn:yersin:test:client";
const patient = (value, family = "Lê") => ({
  resourceType: "Patient",
  identifier: [{ system, value: `${mark}-${value}` }],
  name: [{ family, given: ["Hoa"] }],
  gender: "female",
  birthDate: "1984-05-06",
});
const observation = (id, text) => ({
  resourceType: "Observation",
  status: "final",
  code: { text },
  subject: { reference: `Patient/${id}` },
});
const create = (body) => fhir.create({ resourceType: body.resourceType, body });
const status = async (work) => {
  try {
    return Client.httpFor(await work()).response.status;
  } catch (error) {
    return error.response?.status ?? String(error);
  }
};

const steps = {
  async metadata() {
    const statement = await fhir.capabilityStatement();
    return [statement.resourceType, statement.fhirVersion];
  },
  async smart() {
    const found = await fhir.smartAuthMetadata().catch((error) => String(error));
    return found?.tokenUrl?.pathname ?? "none";
  },
  async circle() {
    const made = await create(patient("circle"));
    const id = made.id;
    const read = await fhir.read({ resourceType: "Patient", id });
    const changed = await fhir.update({ resourceType: "Patient", id, body: { ...read, gender: "other" } });
    const old = await fhir.vread({ resourceType: "Patient", id, version: 1 });
    const jsonPatch = [{ op: "replace", path: "/name/0/family", value: "Lý" }];
    const patched = await fhir.patch({ resourceType: "Patient", id, jsonPatch });
    const history = await fhir.history({ resourceType: "Patient", id });
    const deleted = await status(() => fhir.delete({ resourceType: "Patient", id }));
    const gone = await status(() => fhir.read({ resourceType: "Patient", id }));
    const versions = history.entry.map((each) => each.resource.meta.versionId);
    return [changed.gender, old.gender, patched.name[0].family, versions, deleted, gone];
  },
  async matching() {
    const made = await create(patient("matching"));
    const headers = { "If-Match": 'W/"7"' };
    return status(() => fhir.update({ resourceType: "Patient", id: made.id, body: made, options: { headers } }));
  },
  async pages() {
    const { id } = await create(patient("pages"));
    for (let number = 0; number < 5; number += 1) await create(observation(id, `${number}`));
    const sizes = [];
    const searchParams = { patient: id, _count: 2, _include: "Observation:patient", _total: "accurate" };
    let page = await fhir.search({ resourceType: "Observation", searchParams });
    const total = page.total;
    while (page) {
      sizes.push(page.entry.filter((each) => each.search.mode === "match").length);
      page = await fhir.nextPage({ bundle: page });
    }
    const posted = await fhir.search({ resourceType: "Observation", searchParams, options: { postSearch: true } });
    const compartment = { resourceType: "Patient", id };
    const within = await fhir.search({ resourceType: "Observation", compartment, searchParams: { "code:text": "3" } });
    const everywhere = await fhir.search({ searchParams: { _type: "Patient,Observation", _id: id } });
    const resolved = await fhir.resolve({ reference: `Patient/${id}` });
    return [total, sizes, posted.entry.length, within.entry.length, everywhere.entry.length, resolved.id === id];
  },
  async criteria() {
    const searchParams = { identifier: `${system}|${mark}-criteria` };
    const first = await fhir.update({ resourceType: "Patient", searchParams, body: patient("criteria") });
    const second = await fhir.update({ resourceType: "Patient", searchParams, body: patient("criteria", "Đỗ") });
    return [first.id === second.id, Client.httpFor(first).response.status, Client.httpFor(second).response.status];
  },
  async bundles() {
    const about = "urn:uuid:43e3ad0c-3b53-4e2f-8a0c-0f5c4c3b0d51";
    const entry = [
      { fullUrl: about, resource: patient("bundled"), request: { method: "POST", url: "Patient" } },
      { resource: { ...observation("x", "y"), subject: { reference: about } }, request: { method: "POST", url: "Observation" } },
    ];
    const done = await fhir.transaction({ body: { resourceType: "Bundle", type: "transaction", entry } });
    const asked = [{ request: { method: "GET", url: `Patient?identifier=${system}|${mark}-bundled` } }, { request: { method: "GET", url: "Patient/none" } }];
    const batch = await fhir.batch({ body: { resourceType: "Bundle", type: "batch", entry: asked } });
    return [done.entry.map((each) => each.response.status.slice(0, 3)), batch.entry.map((each) => each.response.status.slice(0, 3))];
  },
  async operations() {
    const { id } = await create(patient("operations"));
    const chart = await fhir.operation({ name: "everything", resourceType: "Patient", id, method: "GET" });
    const input = { url: "http://hl7.org/fhir/ValueSet/administrative-gender", filter: "fem" };
    const expanded = await fhir.operation({ name: "$expand", resourceType: "ValueSet", method: "GET", input });
    const judged = await fhir.operation({ name: "validate", resourceType: "Patient", input: { resourceType: "Patient", gender: "x" } });
    return [chart.entry.length, expanded.expansion.contains.map((each) => each.code), judged.issue[0].severity];
  },
  async histories() {
    const options = { headers: { prefer: "handling=strict" } };
    const ofType = await fhir.history({ resourceType: "Patient", options });
    const ofAll = await fhir.history();
    return [ofType.type, ofAll.type];
  },
  async refusals() {
    const other = new Client({ baseUrl: base, bearerToken: "none" });
    return [
      await status(() => other.read({ resourceType: "Patient", id: "x" })),
      await status(() => create({ ...patient("refused"), birthDate: "1984-02-30" })),
      await status(() => fhir.search({ resourceType: "Patient", searchParams: { nonsense: "1" }, options: { headers: { prefer: "handling=strict" } } })),
    ];
  },
};

for (const [name, step] of Object.entries(steps)) {
  const came = await step().catch((error) => ({ failed: String(error), answer: error.response?.data }));
  console.log(JSON.stringify([name, came]));
}
process.exit(0);
