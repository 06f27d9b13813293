package smtp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Cert is what is wrong with a certificate.
type Cert string

// Certificates for 127.0.0.1 from an authority that a client may trust, but for what their names say.
const (
	Good       Cert = "good"
	Expired    Cert = "expired"
	OtherName  Cert = "for another name"
	SelfSigned Cert = "self-signed"
)

// files writes the certificate, its key, and the authority's certificate.
func (c Cert) files(t testing.TB) (cert, key, ca string) {
	t.Helper()
	now := time.Now()
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority"},
		NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(48 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Test"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}}
	rootKey, leafKey := newKey(t), newKey(t)
	switch c {
	case Expired:
		leaf.NotAfter = now.Add(-time.Hour)
	case OtherName:
		leaf.IPAddresses, leaf.DNSNames = nil, []string{"other.example"}
	}
	issuer, signer := root, rootKey
	if c == SelfSigned {
		issuer, signer = leaf, leafKey
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte, err error) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err == nil {
			err = os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, issuer, &leafKey.PublicKey, signer)
	cert = write("cert.pem", "CERTIFICATE", der, err)
	der, err = x509.CreateCertificate(rand.Reader, root, root, &rootKey.PublicKey, rootKey)
	ca = write("ca.pem", "CERTIFICATE", der, err)
	der, err = x509.MarshalECPrivateKey(leafKey)
	return cert, write("key.pem", "EC PRIVATE KEY", der, err), ca
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
