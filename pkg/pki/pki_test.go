package pki_test

import (
	"crypto"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // as HAProxy does
	"crypto/x509"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"router/pkg/pki"
	"router/test/certs"
)

func issue(t *testing.T) (leaf certs.Pair, ca *certs.Authority) {
	t.Helper()
	ca, err := certs.NewAuthority("ca of " + t.Name())
	if err != nil {
		t.Fatal(err)
	}
	if leaf, err = ca.Issue("a.test"); err != nil {
		t.Fatal(err)
	}
	return leaf, ca
}

func parse(t *testing.T, text string) []*x509.Certificate {
	t.Helper()
	list, err := pki.Certificates(text)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestBlocksOfTextsThatToolsWrite(t *testing.T) {
	leaf, _ := issue(t)
	for name, tt := range map[string]struct {
		text    string
		types   []string
		damaged int
	}{
		"nothing":               {"", nil, 0},
		"a chain and its key":   {leaf.Cert + leaf.Key, []string{pki.CertificateBlock, pki.KeyBlock}, 0},
		"text around":           {"Bag Attributes\n  x: y\n" + leaf.Cert + "# end\n", []string{pki.CertificateBlock}, 0},
		"a lost line break":     {strings.TrimSpace(leaf.Cert) + leaf.Key, []string{pki.CertificateBlock, pki.KeyBlock}, 0},
		"one that is cut off":   {leaf.Cert + leaf.Key[:len(leaf.Key)/2], []string{pki.CertificateBlock}, 1},
		"one that is corrupted": {strings.Replace(leaf.Cert, "\nMII", "\n?II", 1) + leaf.Key, []string{pki.KeyBlock}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var types []string
			for b := range pki.Blocks(tt.text) {
				types = append(types, b.Type)
			}
			if !slices.Equal(types, tt.types) || pki.Damaged(tt.text) != tt.damaged {
				t.Errorf("the blocks are %q, and %d damaged; want %q, %d", types, pki.Damaged(tt.text), tt.types, tt.damaged)
			}
		})
	}
}

func TestCertificatesAreWhatTheyWere(t *testing.T) {
	leaf, ca := issue(t)
	list := parse(t, leaf.Key+leaf.Cert+ca.PEM)
	if len(list) != 2 || pki.EncodeCertificates(list) != leaf.Cert+ca.PEM {
		t.Errorf("there are %d certificates, not the two that were written", len(list))
	}
	if c := pki.Leaf(leaf.Cert + ca.PEM); c == nil || !c.Equal(list[0]) {
		t.Error("the leaf is not the first")
	}
	if pki.Leaf("") != nil || pki.Leaf(leaf.Key) != nil {
		t.Error("what begins with no certificate has a leaf")
	}
	if _, err := pki.Certificates(leaf.Cert + pki.Encode(pki.CertificateBlock, []byte("x"))); err == nil || !strings.HasPrefix(err.Error(), "certificate 2: ") {
		t.Errorf("the error is %v", err)
	}
	sum := sha1.Sum(list[0].Raw) //nolint:gosec // as HAProxy does
	trusted := pki.Encode("TRUSTED CERTIFICATE", list[1].Raw)
	if prints := pki.Fingerprints(leaf.Cert + leaf.Key + trusted); len(prints) != 2 || prints[0] != strings.ToUpper(hex.EncodeToString(sum[:])) {
		t.Errorf("the fingerprints are %q", prints)
	}
}

func TestKeysOfAllKinds(t *testing.T) {
	ec, ca := issue(t)
	ed, err := ca.IssueEd25519("ed.test")
	if err != nil {
		t.Fatal(err)
	}
	rsa, err := ca.IssueRSA(2048, "rsa.test")
	if err != nil {
		t.Fatal(err)
	}
	all := parse(t, ec.Cert+ed.Cert+rsa.Cert)
	for i, tt := range []struct{ text, begins string }{{ec.Key, "-----BEGIN EC PRIVATE KEY"}, {ed.Key, "-----BEGIN PRIVATE KEY"}, {rsa.Key, "-----BEGIN RSA PRIVATE KEY"}} {
		for block := range pki.Blocks(tt.text) {
			key, err := pki.ParseKey(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			signer := key.(crypto.Signer)
			if owner := pki.Owner(signer, all); owner != i {
				t.Errorf("the owner of key %d is %d", i, owner)
			}
			text, err := pki.EncodeKey(signer)
			if err != nil || !strings.HasPrefix(text, tt.begins) {
				t.Errorf("key %d is written as %.30s, %v", i, text, err)
			}
			for again := range pki.Blocks(text) {
				if key, err := pki.ParseKey(again.Bytes); err != nil || pki.Owner(key.(crypto.Signer), all) != i {
					t.Errorf("key %d cannot be read again: %v", i, err)
				}
			}
		}
	}
	if other, err := certs.NewAuthority("other"); err != nil || pki.Owner(mustKey(t, ec.Key), parse(t, other.PEM)) != -1 {
		t.Errorf("a key owns a certificate of another: %v", err)
	}
	exchange, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(exchange)
	if err != nil {
		t.Fatal(err)
	}
	if key, err := pki.ParseKey(der); err != nil {
		t.Error(err)
	} else if _, signs := key.(crypto.Signer); signs {
		t.Error("a key for exchanges signs")
	}
	if _, err := pki.ParseKey([]byte("x")); err == nil {
		t.Error("text is a key")
	}
}

func mustKey(t *testing.T, text string) crypto.Signer {
	t.Helper()
	for block := range pki.Blocks(text) {
		if key, err := pki.ParseKey(block.Bytes); err == nil {
			return key.(crypto.Signer)
		}
	}
	t.Fatal("there is no key")
	return nil
}

func TestChainsAndTheirAuthorities(t *testing.T) {
	pair, ca := issue(t)
	_, other := issue(t)
	leaf, trusted, foreign := parse(t, pair.Cert)[0], parse(t, ca.PEM)[0], parse(t, other.PEM)[0]
	chain := pki.Chain([]*x509.Certificate{leaf, foreign, trusted}, []*x509.Certificate{trusted})
	if !slices.EqualFunc(chain, []*x509.Certificate{leaf, trusted, foreign}, (*x509.Certificate).Equal) {
		t.Errorf("the chain has %d certificates, in another order or other ones", len(chain))
	}
	if err := pki.IssuedBy(leaf, nil, []*x509.Certificate{trusted}); err != nil {
		t.Error(err)
	}
	if err := pki.IssuedBy(leaf, []*x509.Certificate{trusted}, []*x509.Certificate{foreign}); err == nil {
		t.Error("another authority has issued it")
	}
}
