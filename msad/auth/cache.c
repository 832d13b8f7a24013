/*
 * Passwords that were right lately (cache.h). Runs in msad-auth, called by
 * verify.c with what clients sent: names and passwords of any octets.
 *
 * Kept is a hash under a key that never leaves this process, so that neither
 * a leak of the table nor of the key alone gives anything to guess with. Both
 * are in memory that is not swapped, dumped or inherited; names, which are no
 * secrets, are in ordinary memory. An entry's place in the list is its age: it
 * is made when a backend said yes, and a hit does not make it younger.
 */

#include <sys/types.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/secretmem.h"
#include "common/stats.h"
#include "msad/auth/cache.h"

#define ENTRIES		16384
#define BUCKETS		16384
#define NONE		UINT32_MAX
#define MAC_SIZE	32
#define TEXT_MAX	2048	/* block, name and password with lengths */

struct entry {
	uint8_t			 id[MAC_SIZE];	/* of block and name */
	uint8_t			 mac[MAC_SIZE];	/* and of the password */
	int64_t			 since;		/* ms: when it was right */
	char			*name;		/* NULL: free */
	char			*user;		/* name, or as backend has it */
	struct credential	*credential;	/* referenced, or NULL */
	uint32_t		 chain;		/* next of the bucket */
	uint32_t		 newer, older;
};

static struct memory {
	uint8_t		 key[MAC_SIZE];
	struct entry	 entries[ENTRIES];
} *m;

static uint32_t		 buckets[BUCKETS];
static uint32_t		 newest = NONE, oldest = NONE, unused = NONE;
static unsigned int	 nentries;
static unsigned int	 flushes;

int
cache_init(void)
{
	bool		 locked;
	uint32_t	 i;

	if (m != NULL)
		return 0;
	if ((m = secretmem_alloc(sizeof(*m), &locked)) == NULL)
		return -1;
	if (!locked)
		log_warn("event=cache error=\"memory cannot be locked\"");
	arc4random_buf(m->key, sizeof(m->key));
	for (i = 0; i < BUCKETS; i++)
		buckets[i] = NONE;
	for (i = 0; i < ENTRIES; i++) {
		m->entries[i].chain = unused;
		unused = i;
	}
	return 0;
}

/* --- hashes --- */

static size_t
text_add(uint8_t *text, size_t at, struct slice s)
{
	text[at++] = (uint8_t)(s.len >> 8);
	text[at++] = (uint8_t)s.len;
	if (s.len > 0)
		memcpy(text + at, s.p, s.len);
	return at + s.len;
}

/*
 * The id of a user in a block and, with a password, the mac. Lengths stand
 * before the octets, so that no two triples give the same text.
 */
static bool
hash(struct slice block, struct slice name, const struct slice *password,
    uint8_t *id, uint8_t *mac)
{
	uint8_t		 text[TEXT_MAX];
	unsigned int	 len;
	size_t		 n = 0;
	bool		 ok;

	if (m == NULL || block.len + name.len + 6 + (password != NULL ?
	    password->len : 0) > sizeof(text))
		return false;
	n = text_add(text, n, block);
	n = text_add(text, n, name);
	ok = HMAC(EVP_sha256(), m->key, MAC_SIZE, text, n, id, &len) != NULL;
	if (ok && password != NULL) {
		n = text_add(text, n, *password);
		ok = HMAC(EVP_sha256(), m->key, MAC_SIZE, text, n, mac,
		    &len) != NULL;
	}
	explicit_bzero(text, sizeof(text));
	return ok;
}

static uint32_t *
bucket(const uint8_t *id)
{
	uint32_t	 n;

	memcpy(&n, id, sizeof(n));
	return &buckets[n % BUCKETS];
}

/* --- entries --- */

static uint32_t
index_of(const struct entry *e)
{
	return (uint32_t)(e - m->entries);
}

static struct entry *
entry_at(uint32_t i)
{
	return i == NONE ? NULL : &m->entries[i];
}

static void
link_newest(struct entry *e)
{
	e->newer = NONE;
	e->older = newest;
	if (newest != NONE)
		m->entries[newest].newer = index_of(e);
	newest = index_of(e);
	if (oldest == NONE)
		oldest = newest;
	e->chain = *bucket(e->id);
	*bucket(e->id) = index_of(e);
}

static void
unlink_entry(struct entry *e)
{
	uint32_t	*at = bucket(e->id);

	while (*at != index_of(e))
		at = &m->entries[*at].chain;
	*at = e->chain;
	if (e->newer != NONE)
		m->entries[e->newer].older = e->older;
	else
		newest = e->older;
	if (e->older != NONE)
		m->entries[e->older].newer = e->newer;
	else
		oldest = e->newer;
}

static void
entry_drop(struct entry *e)
{
	unlink_entry(e);
	if (e->user != e->name)
		free(e->user);
	free(e->name);
	if (e->credential != NULL)
		credential_release(e->credential);
	explicit_bzero(e, sizeof(*e));
	e->chain = unused;
	unused = index_of(e);
	stats_set(STAT_AUTH_CACHE_ENTRIES, --nentries);
}

static struct entry *
entry_new(void)
{
	struct entry	*e;

	if (unused == NONE)
		entry_drop(&m->entries[oldest]);
	e = &m->entries[unused];
	unused = e->chain;
	stats_set(STAT_AUTH_CACHE_ENTRIES, ++nentries);
	return e;
}

static const char *
label_of(const struct credential *credential)
{
	return credential != NULL && credential->label != NULL ?
	    credential->label : "";
}

/* --- for verify.c --- */

bool
cache_find(struct slice block, struct slice name, struct slice password,
    unsigned int ttl, int64_t now_ms, char *user, size_t size,
    struct credential **credential)
{
	struct entry	*e, *found = NULL, *next;
	uint8_t		 id[MAC_SIZE], mac[MAC_SIZE];

	*credential = NULL;
	if (ttl == 0 || !hash(block, name, &password, id, mac))
		return false;
	for (e = entry_at(*bucket(id)); e != NULL; e = next) {
		next = entry_at(e->chain);
		if (CRYPTO_memcmp(e->id, id, MAC_SIZE) != 0)
			continue;
		if (now_ms - e->since >= (int64_t)ttl * 1000)
			entry_drop(e);
		else if (CRYPTO_memcmp(e->mac, mac, MAC_SIZE) == 0)
			found = e;
	}
	explicit_bzero(mac, sizeof(mac));
	if (found == NULL || strlcpy(user, found->user, size) >= size)
		return false;
	if (found->credential != NULL)
		*credential = credential_ref(found->credential);
	return true;
}

/* Drop what is known of that user in that block by that label. */
static void
drop_label(const uint8_t *id, const char *label)
{
	struct entry	*e, *next;

	for (e = entry_at(*bucket(id)); e != NULL; e = next) {
		next = entry_at(e->chain);
		if (CRYPTO_memcmp(e->id, id, MAC_SIZE) == 0 &&
		    strcmp(label_of(e->credential), label) == 0)
			entry_drop(e);
	}
}

void
cache_put(struct slice block, struct slice name, struct slice password,
    struct slice user, struct credential *credential, int64_t now_ms)
{
	struct entry	*e;
	uint8_t		 id[MAC_SIZE], mac[MAC_SIZE];

	if (!hash(block, name, &password, id, mac))
		return;
	drop_label(id, label_of(credential));
	e = entry_new();
	memcpy(e->id, id, sizeof(id));
	memcpy(e->mac, mac, sizeof(mac));
	explicit_bzero(mac, sizeof(mac));
	e->since = now_ms;
	e->name = strndup(name.p, name.len);
	e->user = slice_eq(name, user) ? e->name : strndup(user.p, user.len);
	e->credential = credential != NULL ? credential_ref(credential) :
	    NULL;
	link_newest(e);
	if (e->name == NULL || e->user == NULL)
		entry_drop(e);
}

unsigned int
cache_flush(const char *user)
{
	struct entry	*e, *next;
	unsigned int	 n = 0;

	flushes++;
	for (e = m != NULL ? entry_at(newest) : NULL; e != NULL; e = next) {
		next = entry_at(e->older);
		if (user != NULL && strcmp(e->name, user) != 0 &&
		    strcmp(e->user, user) != 0)
			continue;
		entry_drop(e);
		n++;
	}
	return n;
}

unsigned int
cache_flushed(void)
{
	return flushes;
}

unsigned int
cache_entries(void)
{
	return nentries;
}
