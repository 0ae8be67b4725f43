package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
)

// ParseKey reads a private key in DER form, whatever the block that it was in
// says of its kind.
func ParseKey(der []byte) (crypto.PrivateKey, error) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	return nil, errors.New("the private key cannot be parsed")
}

// EncodeKey writes a key as a block of its type.
func EncodeKey(key crypto.Signer) (string, error) {
	kind, der, err := KeyBlock, []byte(nil), error(nil)
	switch key := key.(type) {
	case *rsa.PrivateKey:
		kind, der = "RSA "+KeyBlock, x509.MarshalPKCS1PrivateKey(key)
	case *ecdsa.PrivateKey:
		kind = "EC " + KeyBlock
		der, err = x509.MarshalECPrivateKey(key)
	default:
		der, err = x509.MarshalPKCS8PrivateKey(key)
	}
	if err != nil {
		return "", errors.New("the private key is of a type that is not supported")
	}
	return Encode(kind, der), nil
}

// Owner is the index of the certificate that a key belongs to, -1 if there is
// none.
func Owner(key crypto.Signer, certs []*x509.Certificate) int {
	for i, c := range certs {
		public, comparable := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
		if comparable && public.Equal(key.Public()) {
			return i
		}
	}
	return -1
}
