#ifndef KEYS_TLS_SIGN_H
#define KEYS_TLS_SIGN_H

#include <stdint.h>

#include "common/slice.h"

/* The kinds of key that a server certificate may have here. */
enum tls_key_kind {
	TLS_KEY_RSA,
	TLS_KEY_P256,
	TLS_KEY_P384,
	TLS_KEY_ED25519
};

/* The padding octet of KEY_SIGN. */
#define TLS_PADDING_NONE	0
#define TLS_PADDING_PKCS1	1
#define TLS_PADDING_PSS		6

/*
 * May a key of this kind sign tbs with this padding and digest ("" for none)?
 * NULL: yes. Otherwise the reason for the log. Looks at its arguments only.
 */
const char *tls_sign_refusal(enum tls_key_kind, uint8_t padding,
    struct slice digest, struct slice tbs);

#endif
