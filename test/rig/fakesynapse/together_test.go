package fakesynapse

import (
	"fmt"
	"sync"
	"testing"

	mas "postern/homeserver/synapse"
	"postern/test/rig/synapse"
)

// TestProvisionedTogether: a login and the outbox may tell a real Synapse of a new account at once. It refuses the
// later one, which is what Collide stands for, and the client does not.
func TestProvisionedTogether(t *testing.T) {
	t.Parallel()
	const secret = "a-secret-of-both"
	hs := synapse.Prepare(t, synapse.Options{})
	hs.Delegate(t, "http://127.0.0.1:9/", secret)
	hs.Run(t)
	client := mas.New(mas.Config{URL: hs.URL, Secret: secret})
	defer client.Close()
	var all sync.WaitGroup
	for i := range 20 {
		name := fmt.Sprintf("user%d", i%5)
		all.Go(func() {
			if _, err := client.ProvisionUser(t.Context(), name, nil, nil); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	all.Wait()
}
