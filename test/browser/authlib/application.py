"""An application on Authlib, as a process: a line of JSON on standard input is a command, a line on standard output its answer. Commands
run at the same time, as the threads of an application do."""

import json
import sys
import threading

from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url


class Application:
    def register(self, issuer, metadata):
        """Reads the server's metadata, has the library hold them against RFC 8414, and registers."""
        session = OAuth2Session()
        found = session.get(get_well_known_url(issuer, external=True), withhold_token=True)
        self.server = AuthorizationServerMetadata(found.json())
        self.server.validate()
        assert self.server["issuer"] == issuer, self.server
        answer = session.post(self.server["registration_endpoint"], json=metadata, withhold_token=True)
        assert answer.status_code == 201, answer.text
        self.client = answer.json()
        self.verifier = generate_token(64)

    def session(self):
        return OAuth2Session(
            self.client["client_id"],
            redirect_uri=self.redirect,
            scope=self.scope,
            code_challenge_method="S256",
            token_endpoint_auth_method="none",
        )

    def begin(self, redirect, mode, scope, prompt=None):
        self.redirect, self.scope = redirect, scope
        more = {"prompt": prompt} if prompt else {}
        url, self.state = self.session().create_authorization_url(
            self.server["authorization_endpoint"], code_verifier=self.verifier, response_mode=mode, **more
        )
        return url

    def finish(self, url):
        return self.session().fetch_token(
            self.server["token_endpoint"],
            authorization_response=url,
            state=self.state,
            code_verifier=self.verifier,
        )

    def refresh(self, token):
        return self.session().refresh_token(self.server["token_endpoint"], refresh_token=token)

    def revoke(self, token, hint):
        answer = self.session().revoke_token(self.server["revocation_endpoint"], token=token, token_type_hint=hint)
        assert answer.status_code == 200, answer.text

    def device(self, scope):
        """Asks for a code that a person types in elsewhere."""
        self.redirect, self.scope = None, scope
        form = {"client_id": self.client["client_id"], "scope": scope}
        answer = self.session().post(self.server["device_authorization_endpoint"], data=form, withhold_token=True)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def poll(self, device_code):
        return self.session().fetch_token(
            self.server["token_endpoint"],
            grant_type="urn:ietf:params:oauth:grant-type:device_code",
            device_code=device_code,
        )


applications = {}
writing = threading.Lock()


def answer(number, app, do, **arguments):
    try:
        application = applications.setdefault(app, Application())
        said = {"said": getattr(application, do)(**arguments)}
    except OAuthError as error:
        said = {"error": error.error, "description": error.description}
    except Exception as error:  # whatever it is, the test is to see it
        said = {"failed": repr(error)}
    with writing:
        print(json.dumps({"number": number, **said}), flush=True)


for line in sys.stdin:
    threading.Thread(target=answer, kwargs=json.loads(line)).start()
