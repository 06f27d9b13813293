// A copy of the contract that is edited and saved while a server serves it by --spec.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

const contract = readFileSync(new URL("../../api/login.yaml", import.meta.url), "utf8");

/** An operation that the server does not have; more lines may stand under its method. */
export const knock = (more = "") => `  /_matrix/client/v3/knock:
    post:
      operationId: knock
      tags: [session]
      summary: Knock.
${more}      responses:
        "200":
          description: Somebody heard it.
          content:
            application/json:
              schema:
                type: object
                properties:
                  heard:
                    type: boolean
                    example: true
              examples:
                heard: {value: {heard: true}}
                unheard: {value: {heard: false}}
        "403":
          description: Nobody may knock.
          content:
            application/json:
              example: {errcode: M_FORBIDDEN, error: Nobody may knock.}
`;

/** A spec for a whole test file. */
export function specFor() {
    const folder = mkdtempSync(join(tmpdir(), "edited-"));
    after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "login.yaml");
    const spec = {
        file,
        /** Saves the contract with these paths before its own. */
        save: (paths = "") => writeFileSync(file, contract.replace("\npaths:\n", `\npaths:\n${paths}`)),
    };
    spec.save();
    return spec;
}
