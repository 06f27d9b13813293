// User-interactive authentication the way an application does it: the sdk finds the flow and its next stage, a person
// enters something.
import assert from "node:assert/strict";

import { InteractiveAuth } from "matrix-js-sdk";

import { password } from "./server.js";

/**
 * Makes a request that has to be authenticated and gives its answer. `entered` has, by stage, what the person enters, one
 * after another; `asked` takes the stages, with the errcode of the attempt before.
 */
export function authenticate({ client }, entered, request, asked = []) {
    const auth = new InteractiveAuth({
        matrixClient: client,
        doRequest: request,
        stateUpdated(stage, { errcode }) {
            asked.push(errcode ? `${stage} ${errcode}` : stage);
            const next = entered[stage]?.shift();
            if (!next) throw new Error(`nothing more is entered into ${asked.at(-1)}`);
            if (next !== elsewhere) return void auth.submitAuthDict({ type: stage, ...next });
            elsewhere(client.getFallbackAuthUrl(stage, auth.getSessionId())).then(() => auth.poll());
        },
        requestEmailToken: () => assert.fail("nobody has an email address"),
    });
    return auth.attemptAuth();
}

/** Instead of an entry: the stage is completed on its web page, by a click. */
export async function elsewhere(page) {
    await fetch(page, { method: "POST", body: new URLSearchParams() });
}

/** What somebody enters who is asked for the password: that one, unless told otherwise. */
export function enter({ user }, ...passwords) {
    if (passwords.length === 0) passwords = [password];
    return { "m.login.password": passwords.map((password) => step(user, password)) };
}

const step = (user, password) => ({ identifier: { type: "m.id.user", user }, password });

/** A proof by password, for a request that is made without the sdk's help. */
export function proof({ user }, session, word = password) {
    return { type: "m.login.password", session, ...step(user, word) };
}

/** Expects to be asked for more, and gives the answer: flows, params, session. */
export async function challenged(promise) {
    const error = await promise.then(
        (answer) => assert.fail(`answered ${JSON.stringify(answer)} without being authenticated`),
        (error) => error,
    );
    assert.equal(error.httpStatus, 401, String(error.stack));
    assert.ok(error.data.flows?.length && error.data.session && error.data.params, JSON.stringify(error.data));
    return error.data;
}

/** The flows of such an answer, as lists of stages. */
export const stages = ({ flows }) => flows.map(({ stages }) => stages);
