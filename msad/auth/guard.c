/*
 * Who may try to log in (guard.h). Runs in msad-auth; session.c asks when a
 * client connects, attempt.c before and after each login. What is counted was
 * chosen by strangers: every table is of a fixed size, hashed by a key made at
 * start, and forgets what is worth least.
 *
 * Each count is a level that failures raise and that sinks by its limit within
 * a period. An address whose level reaches the limit is banned, and so is its
 * network. A user whose level reaches the limit is refused where he has not
 * logged in lately, but for one try each time the level has sunk by one; where
 * he has, only the level of that address and user counts. So who attacks a
 * user from elsewhere cannot keep him out. A network with a login of that user
 * at another of its addresses has a level for him of its own.
 */

#include <sys/types.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/log.h"
#include "common/saslprep.h"
#include "common/siphash.h"
#include "common/stats.h"
#include "msad/auth/guard.h"
#include "msad/auth/guard_state.h"

#define NET_SETS	4096	/* of GUARD_WAYS places each */
#define NAME_SETS	2048
#define PAIR_SETS	8192
#define NAME_ROOM	1024	/* octets of a name in one form */

#define ONE		1000	/* a failure */
#define REFUSED		250	/* a try that was refused: a quarter */
#define UNSEEN		250	/* no password to compare, but known here */
#define GENTLE		4	/* times the limit, where logins went well */
#define COUNT_MS	10000	/* between two counts of bans */
#define LOCKS_MAX	1000	/* verifications under way of one pair */

enum tag_kind { TAG_NET = 1, TAG_NAME, TAG_PAIR, TAG_NEAR, TAG_SEEN };

struct guard_state		 guard = {
	.login = {
#define G(word, member, unit, value, min, max)	.member = value,
		CONF_LOGIN_TABLE(G)
#undef G
	}
};
static struct siphash_key	 key;

/* All that a login is counted by. */
struct place_of_user {
	struct guard_place	 at;
	uint64_t		 pair, near, name;
};

/* --- what an entry is worth --- */

static uint64_t
worth(uint32_t level, int64_t good, bool held, int64_t now_ms)
{
	uint64_t	 w = level;

	if (good != 0 && now_ms - good < (int64_t)guard.login.remember * 1000)
		w += UINT64_C(1) << 40;
	if (held)
		w += UINT64_C(1) << 41;
	return w;
}

static uint64_t
net_worth(const void *p, int64_t now_ms)
{
	const struct guard_net	*net = p;

	return worth(net->mark.level, net->good, net->until > now_ms, now_ms);
}

static uint64_t
name_worth(const void *p, int64_t now_ms)
{
	const struct guard_name	*name = p;

	return worth(name->mark.level, 0, name->pending > 0, now_ms);
}

static uint64_t
pair_worth(const void *p, int64_t now_ms)
{
	const struct guard_pair	*pair = p;

	return worth(pair->mark.level, pair->good, pair->pending > 0, now_ms);
}

int
guard_init(void)
{
	if (guard.nets.places != NULL)
		return 0;
	arc4random_buf(&key, sizeof(key));
	if (guard_table_init(&guard.nets, sizeof(struct guard_net), NET_SETS,
	    net_worth) == -1 ||
	    guard_table_init(&guard.names, sizeof(struct guard_name),
	    NAME_SETS, name_worth) == -1 ||
	    guard_table_init(&guard.pairs, sizeof(struct guard_pair),
	    PAIR_SETS, pair_worth) == -1)
		return -1;
	stats_set(STAT_AUTH_GUARD_MEMORY, guard_memory());
	return 0;
}

void
guard_configure(const struct conf *conf)
{
	const struct conf_network	*n;
	struct network			*trusted;
	size_t				 count = 0;

	TAILQ_FOREACH(n, &conf->trusted, entry)
		count++;
	if ((trusted = calloc(count + 1, sizeof(*trusted))) == NULL)
		fatal("event=guard error=\"out of memory\"");
	free(guard.trusted);
	guard.trusted = trusted;
	guard.ntrusted = 0;
	TAILQ_FOREACH(n, &conf->trusted, entry)
		guard.trusted[guard.ntrusted++] = n->net;
	guard.login = conf->login;
}

size_t
guard_memory(void)
{
	return guard_table_memory(&guard.nets) +
	    guard_table_memory(&guard.names) +
	    guard_table_memory(&guard.pairs);
}

unsigned int
guard_entries(void)
{
	return guard.nets.used + guard.names.used + guard.pairs.used;
}

/* Nothing is counted. */
static bool
off(void)
{
	return guard.login.off || guard.nets.places == NULL;
}

/* --- keys --- */

static void
network_sockaddr(const char *host, struct sockaddr_storage *ss)
{
	struct sockaddr_in	*in = (void *)ss;
	struct sockaddr_in6	*in6 = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1)
		ss->ss_family = AF_INET;
	else if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1)
		ss->ss_family = AF_INET6;
}

void
guard_place(struct slice client, struct guard_place *at)
{
	struct sockaddr_storage	 ss;
	char			 host[INET6_ADDRSTRLEN];
	size_t			 i, n;

	memset(at, 0, sizeof(*at));
	for (n = 0; n < client.len && n < sizeof(host) - 1 &&
	    client.p[n] != '%'; n++)
		host[n] = client.p[n];
	host[n] = '\0';
	network_sockaddr(host, &ss);
	if (!network_of((struct sockaddr *)&ss, 32, 64, &at->address) ||
	    !network_of((struct sockaddr *)&ss, 24, 48, &at->network))
		return;		/* all that are no address are one */
	for (i = 0; i < guard.ntrusted && !at->trusted; i++)
		at->trusted = network_has(&guard.trusted[i],
		    (struct sockaddr *)&ss);
}

static void
add_network(struct siphash *h, const struct network *n)
{
	uint8_t	 head[2] = { (uint8_t)n->family, (uint8_t)n->prefix };

	siphash_add(h, head, sizeof(head));
	siphash_add(h, n->addr, sizeof(n->addr));
}

/* What some backend may take for the same user counts as him. */
static void
add_name(struct siphash *h, struct slice block, struct slice user)
{
	uint16_t	 len = (uint16_t)block.len;
	char		 name[NAME_ROOM];

	siphash_add(h, &len, sizeof(len));
	siphash_add(h, block.p, block.len);
	len = (uint16_t)saslprep_loosely(user, name, sizeof(name));
	siphash_add(h, name, len);
}

static void
tag_begin(struct siphash *h, enum tag_kind kind)
{
	uint8_t	 k = (uint8_t)kind;

	siphash_begin(h, &key);
	siphash_add(h, &k, sizeof(k));
}

static uint64_t
tag_end(struct siphash *h)
{
	uint64_t	 tag = siphash_end(h);

	return tag != 0 ? tag : 1;
}

static uint64_t
net_tag(const struct network *n)
{
	struct siphash	 h;

	tag_begin(&h, TAG_NET);
	add_network(&h, n);
	return tag_end(&h);
}

static uint64_t
user_tag(enum tag_kind kind, const struct network *n, struct slice block,
    struct slice user)
{
	struct siphash	 h;

	tag_begin(&h, kind);
	if (n != NULL)
		add_network(&h, n);
	add_name(&h, block, user);
	return tag_end(&h);
}

static void
find_place(struct place_of_user *p, struct slice client, struct slice block,
    struct slice user)
{
	guard_place(client, &p->at);
	p->pair = user_tag(TAG_PAIR, &p->at.address, block, user);
	p->near = user_tag(TAG_NEAR, &p->at.network, block, user);
	p->name = user_tag(TAG_NAME, NULL, block, user);
}

/* --- entries --- */

struct guard_net *
guard_net_find(const struct network *n)
{
	return guard_table_find(&guard.nets, net_tag(n));
}

static struct guard_net *
net_take(const struct network *n, int64_t now_ms)
{
	struct guard_net	*net;

	net = guard_table_take(&guard.nets, net_tag(n), now_ms);
	net->network = *n;
	return net;
}

static struct guard_name *
name_take(uint64_t tag, struct slice block, struct slice user,
    int64_t now_ms)
{
	struct guard_name	*name;
	size_t			 n;

	name = guard_table_take(&guard.names, tag, now_ms);
	if (name->user[0] != '\0')
		return name;
	n = block.len < sizeof(name->block) ? block.len :
	    sizeof(name->block) - 1;
	memcpy(name->block, block.p, n);
	n = user.len < sizeof(name->user) ? user.len :
	    sizeof(name->user) - 1;
	memcpy(name->user, user.p, n);
	return name;
}

static bool
recent(int64_t good, int64_t now_ms)
{
	return good != 0 &&
	    now_ms - good < (int64_t)guard.login.remember * 1000;
}

static uint32_t
settle(struct guard_mark *mark, uint64_t limit, int64_t now_ms)
{
	return guard_mark_settle(mark, limit, guard.login.period, now_ms);
}

/* Seconds until a level has sunk by one failure. */
static unsigned int
seconds_of_one(uint64_t limit)
{
	uint64_t	 s = guard.login.period / (limit > 0 ? limit : 1);

	return s > 0 ? (unsigned int)s : 1;
}

void
guard_count(int64_t now_ms)
{
	struct guard_ban	 ban;
	size_t			 cursor = 0;
	unsigned int		 n = 0;

	while (guard_next_ban(&cursor, now_ms, &ban))
		n++;
	stats_set(STAT_AUTH_GUARD_BANS, n);
}

/* --- bans --- */

static uint64_t
net_limit(const struct guard_net *net, int64_t now_ms)
{
	bool	 address = net->network.prefix == 32 ||
	    net->network.prefix == 64;
	uint64_t limit = address ? guard.login.address : guard.login.network;

	return recent(net->good, now_ms) ? limit * GENTLE : limit;
}

/* The first ban is short; who comes back soon after it stays out longer. */
static void
ban(struct guard_net *net, int64_t now_ms)
{
	uint64_t	 seconds = guard.login.ban;
	unsigned int	 i;
	char		 buf[NETWORK_TEXT_MAX];

	if (net->bans > 0 && now_ms - net->until >
	    (int64_t)guard.login.ban_max * 1000)
		net->bans = 0;
	for (i = 0; i < net->bans && seconds < guard.login.ban_max; i++)
		seconds *= 2;
	if (seconds > guard.login.ban_max)
		seconds = guard.login.ban_max;
	net->bans++;
	net->until = now_ms + (int64_t)seconds * 1000;
	log_notice("event=ban network=%s failures=%u seconds=%llu",
	    network_print(&net->network, buf, sizeof(buf)),
	    (net->mark.level + ONE / 2) / ONE, (unsigned long long)seconds);
	guard_count(now_ms);
}

/* Count a failure there, and ban where it is one too many. */
static void
net_failed(const struct network *n, uint32_t weight, int64_t now_ms)
{
	struct guard_net	*net = net_take(n, now_ms);
	uint64_t		 limit = net_limit(net, now_ms);

	settle(&net->mark, limit, now_ms);
	guard_mark_add(&net->mark, weight);
	/* what has sunk by less than half a failure still counts as one */
	if (limit > 0 && net->mark.level + ONE / 2 > limit * ONE &&
	    net->until <= now_ms)
		ban(net, now_ms);
}

static struct guard_answer
banned(unsigned int seconds, const char *reason)
{
	return (struct guard_answer){ GUARD_BANNED, seconds, reason };
}

static unsigned int
seconds_left(const struct guard_net *net, int64_t now_ms)
{
	return (unsigned int)((net->until - now_ms + 999) / 1000);
}

/* Is the address or its network not served? */
static struct guard_answer
place_ban(const struct guard_place *at, int64_t now_ms)
{
	const struct guard_answer	 go = { GUARD_GO, 0, "" };
	const struct guard_net		*address, *network;
	unsigned int			 seconds;

	if (guard_ban_holds(&at->address, now_ms, &seconds))
		return banned(seconds, "banned by msactl");
	if (off() || at->trusted)
		return go;
	address = guard_net_find(&at->address);
	if (address != NULL && address->until > now_ms)
		return banned(seconds_left(address, now_ms),
		    "too many failed logins from this address");
	network = guard_net_find(&at->network);
	if (network != NULL && network->until > now_ms &&
	    (address == NULL || !recent(address->good, now_ms)))
		return banned(seconds_left(network, now_ms),
		    "too many failed logins from this network");
	return go;
}

/* Somebody logged in from there of late: let him come in, but not others. */
static bool
has_good(const struct guard_place *at, int64_t now_ms)
{
	const struct guard_net	*address;

	address = off() ? NULL : guard_net_find(&at->address);
	return address != NULL && recent(address->good, now_ms);
}

struct guard_answer
guard_connect(struct slice client, int64_t now_ms)
{
	static int64_t		 counted;
	struct guard_answer	 a;
	struct guard_place	 at;
	unsigned int		 seconds;

	if (now_ms - counted >= COUNT_MS || now_ms < counted) {
		counted = now_ms;	/* bans end by themselves */
		guard_count(now_ms);
	}
	guard_place(client, &at);
	a = place_ban(&at, now_ms);
	if (a.word == GUARD_BANNED && has_good(&at, now_ms) &&
	    !guard_ban_holds(&at.address, now_ms, &seconds))
		a = (struct guard_answer){ GUARD_GO, 0, "" };
	return a;
}

/* --- before a login --- */

static bool	 looking;	/* guard_look(): count nothing */

static struct guard_answer
refuse(uint64_t limit, const char *reason)
{
	return (struct guard_answer){ GUARD_BUSY, seconds_of_one(limit),
	    reason };
}

/* Would one more failure pass the limit, with those that are under way? */
static bool
full(struct guard_mark *mark, unsigned int pending, uint64_t limit,
    uint64_t times, int64_t now_ms)
{
	uint64_t	 level = settle(mark, limit, now_ms);

	return limit > 0 && level + (pending + UINT64_C(1)) * ONE >
	    limit * times * ONE;
}

static bool
pair_known(uint64_t tag, int64_t now_ms)
{
	const struct guard_pair	*pair = guard_table_find(&guard.pairs, tag);

	return pair != NULL && recent(pair->good, now_ms);
}

/* The level of the user where the client is not known to be his. */
static struct guard_answer
name_allows(const struct place_of_user *p, struct slice block,
    struct slice user, int64_t now_ms, struct guard_ticket *t)
{
	const struct conf_login	*l = &guard.login;
	struct guard_name	*name;
	struct guard_pair	*near;

	if (pair_known(p->near, now_ms)) {
		near = guard_table_find(&guard.pairs, p->near);
		t->lock = p->near;
		t->near = true;
		if (!full(&near->mark, near->pending, l->user, 1, now_ms))
			return (struct guard_answer){ GUARD_GO, 0, "" };
		return refuse(l->user, "too many failed logins of this user "
		    "from this network");
	}
	name = name_take(p->name, block, user, now_ms);
	t->lock = p->name;
	if (!full(&name->mark, name->pending, l->user, 1, now_ms))
		return (struct guard_answer){ GUARD_GO, 0, "" };
	if (!looking && name->refused < UINT32_MAX)
		name->refused++;
	return refuse(l->user, "too many failed logins of this user");
}

/* May the client try? *t is filled for guard_begin(). */
static struct guard_answer
ask(struct slice client, struct slice block, struct slice user,
    int64_t now_ms, struct guard_ticket *t)
{
	struct guard_answer	 a;
	struct place_of_user	 p;
	struct guard_pair	*pair;
	unsigned int		 seconds;
	bool			 known;

	memset(t, 0, sizeof(*t));
	find_place(&p, client, block, user);
	a = place_ban(&p.at, now_ms);
	if (off())
		return a;
	known = pair_known(p.pair, now_ms);
	if (a.word == GUARD_BANNED && (guard_ban_holds(&p.at.address, now_ms,
	    &seconds) || !has_good(&p.at, now_ms)))
		return a;
	if (a.word == GUARD_BANNED && !known)
		return refuse(guard.login.address, a.reason);
	t->pair = p.pair;
	pair = guard_table_take(&guard.pairs, p.pair, now_ms);
	if (full(&pair->mark, 0, guard.login.user_address,
	    known ? GENTLE : 1, now_ms))
		a = refuse(guard.login.user_address,
		    "too many failed logins of this user from this address");
	else
		a = known ? (struct guard_answer){ GUARD_GO, 0, "" } :
		    name_allows(&p, block, user, now_ms, t);
	if (a.word == GUARD_BUSY && !looking && !p.at.trusted &&
	    !has_good(&p.at, now_ms))
		net_failed(&p.at.address, REFUSED, now_ms);
	return a;
}

struct guard_answer
guard_try(struct slice client, struct slice block, struct slice user,
    int64_t now_ms)
{
	struct guard_ticket	 t;

	return ask(client, block, user, now_ms, &t);
}

struct guard_answer
guard_look(struct slice client, struct slice block, struct slice user,
    int64_t now_ms)
{
	struct guard_answer	 a;
	struct guard_ticket	 t;

	looking = true;
	a = ask(client, block, user, now_ms, &t);
	looking = false;
	return a;
}

/* The count of what is under way behind a ticket's lock; NULL: gone. */
static uint16_t *
lock_pending(const struct guard_ticket *t)
{
	struct guard_name	*name;
	struct guard_pair	*near;

	if (t->near) {
		near = guard_table_find(&guard.pairs, t->lock);
		return near != NULL ? &near->pending : NULL;
	}
	name = guard_table_find(&guard.names, t->lock);
	return name != NULL ? &name->pending : NULL;
}

struct guard_answer
guard_begin(struct slice client, struct slice block, struct slice user,
    int64_t now_ms, struct guard_ticket *t)
{
	struct guard_answer	 a = ask(client, block, user, now_ms, t);
	struct guard_pair	*pair;
	uint16_t		*pending;

	if (a.word != GUARD_GO || t->pair == 0)
		return a;
	pair = guard_table_take(&guard.pairs, t->pair, now_ms);
	if (!recent(pair->good, now_ms) && pair->pending > 0) {
		t->lock = 0;
		a.word = GUARD_WAIT;
		return a;
	}
	if (pair->pending < LOCKS_MAX)
		pair->pending++;
	else
		t->pair = 0;
	if (t->lock != 0 && (pending = lock_pending(t)) != NULL)
		(*pending)++;
	return a;
}

void
guard_end(struct guard_ticket *t)
{
	struct guard_pair	*pair;
	uint16_t		*pending;

	if (t->pair != 0 && (pair = guard_table_find(&guard.pairs,
	    t->pair)) != NULL && pair->pending > 0)
		pair->pending--;
	if (t->lock != 0 && (pending = lock_pending(t)) != NULL &&
	    *pending > 0)
		(*pending)--;
	memset(t, 0, sizeof(*t));
}

/* --- after it --- */

unsigned int
guard_delay_ms(void)
{
	return (unsigned int)guard.login.delay * 1000;
}

/* Has this client tried that password for this user before? Now it has. */
static bool
seen_before(struct guard_pair *pair, const struct place_of_user *p,
    struct slice password)
{
	struct siphash	 h;
	uint32_t	 sum;
	unsigned int	 i;

	tag_begin(&h, TAG_SEEN);
	siphash_add(&h, &p->pair, sizeof(p->pair));
	siphash_add(&h, password.p, password.len);
	sum = (uint32_t)tag_end(&h);
	for (i = 0; i < GUARD_SEEN && i < pair->nseen; i++)
		if (pair->seen[i] == sum)
			return true;
	pair->seen[pair->nseen % GUARD_SEEN] = sum;
	if (++pair->nseen == 2 * GUARD_SEEN)
		pair->nseen = GUARD_SEEN;
	return false;
}

/* What this failure counts, in thousandths. */
static uint32_t
weigh(struct guard_pair *pair, const struct place_of_user *p,
    struct slice password, int64_t now_ms)
{
	if (password.len > 0)
		return seen_before(pair, p, password) ? 0 : ONE;
	return recent(pair->good, now_ms) ? UNSEEN : ONE;
}

/*
 * How slowly to answer: by one step for each failure of the user there, and
 * by up to five as the address nears its ban.
 */
static unsigned int
delay_ms(const struct guard_pair *pair, const struct guard_net *address)
{
	const struct conf_login	*l = &guard.login;
	uint64_t		 ms, steps = 1, near = 0;

	if (pair != NULL && (pair->mark.level + ONE - 1) / ONE > steps)
		steps = (pair->mark.level + ONE - 1) / ONE;
	if (address != NULL && l->address > 0)
		near = address->mark.level * UINT64_C(5) / (l->address * ONE);
	if (near > steps)
		steps = near;
	ms = steps * l->delay * 1000;
	return (unsigned int)(ms < l->delay_max * 1000 ? ms :
	    l->delay_max * 1000);
}

static struct guard_pair *
pair_failed(const struct place_of_user *p, struct slice block,
    struct slice user, struct slice password, int64_t now_ms,
    uint32_t *weight)
{
	const struct conf_login	*l = &guard.login;
	struct guard_pair	*near, *pair;
	struct guard_name	*name;

	pair = guard_table_take(&guard.pairs, p->pair, now_ms);
	settle(&pair->mark, l->user_address, now_ms);
	*weight = weigh(pair, p, password, now_ms);
	guard_mark_add(&pair->mark, *weight);
	if (recent(pair->good, now_ms))
		return pair;
	if (pair_known(p->near, now_ms)) {
		near = guard_table_find(&guard.pairs, p->near);
		settle(&near->mark, l->user, now_ms);
		guard_mark_add(&near->mark, *weight);
		return pair;
	}
	name = name_take(p->name, block, user, now_ms);
	settle(&name->mark, l->user, now_ms);
	guard_mark_add(&name->mark, *weight);
	return pair;
}

unsigned int
guard_failed(struct slice client, struct slice block, struct slice user,
    struct slice password, int64_t now_ms)
{
	struct place_of_user	 p;
	struct guard_pair	*pair = NULL;
	uint32_t		 weight = ONE;

	if (off())
		return guard_delay_ms();
	find_place(&p, client, block, user);
	if (user.len > 0)
		pair = pair_failed(&p, block, user, password, now_ms,
		    &weight);
	if (!p.at.trusted && weight > 0) {
		net_failed(&p.at.address, weight, now_ms);
		net_failed(&p.at.network, weight, now_ms);
	}
	stats_set(STAT_AUTH_GUARD_ENTRIES, guard_entries());
	return delay_ms(pair, guard_net_find(&p.at.address));
}

/* His own mistakes are forgiven to who logs in at last. */
void
guard_ok(struct slice client, struct slice block, struct slice user,
    int64_t now_ms)
{
	struct place_of_user	 p;
	struct guard_name	*name;
	struct guard_pair	*pair, *near;
	struct guard_net	*net;
	uint32_t		 level;

	if (off())
		return;
	if (now_ms <= 0)
		now_ms = 1;
	find_place(&p, client, block, user);
	pair = guard_table_take(&guard.pairs, p.pair, now_ms);
	level = settle(&pair->mark, guard.login.user_address, now_ms);
	pair->mark.level = 0;
	pair->good = now_ms;
	near = guard_table_take(&guard.pairs, p.near, now_ms);
	guard_mark_take(&near->mark, level);
	near->good = now_ms;
	if ((name = guard_table_find(&guard.names, p.name)) != NULL)
		guard_mark_take(&name->mark, level);
	net = net_take(&p.at.address, now_ms);
	guard_mark_take(&net->mark, level);
	net->good = now_ms;
	if ((net = guard_net_find(&p.at.network)) != NULL)
		guard_mark_take(&net->mark, level);
	stats_set(STAT_AUTH_GUARD_ENTRIES, guard_entries());
}
