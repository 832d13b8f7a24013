/*
 * A message on its way in: MAIL, RCPT, DATA, header, body, end, as a front-end
 * sends them for a session. Runs in msad-queue. The front-end is not trusted:
 * the session must have a grant from msad-auth on that very channel, the order
 * must be the one the protocol allows, the sender must be one that the login
 * may use, addresses are parsed again and every octet is checked again. An
 * order that no honest front-end can produce ends its channel; what may be a
 * race with a revoked grant is answered.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/idna.h"
#include "common/log.h"
#include "common/orcpt.h"
#include "common/params.h"
#include "common/stats.h"
#include "common/verdict.h"

#include "accept.h"
#include "author.h"
#include "envelope.h"
#include "grant.h"
#include "limits.h"
#include "lookup.h"
#include "pause.h"
#include "peers.h"
#include "rights.h"
#include "rules.h"
#include "spool.h"
#include "terms.h"
#include "transaction.h"
#include "transaction_priv.h"

/* What the front-end's corrections may add to a message of full size. */
#define SIZE_SLACK	65536
/* Octets in memory that may wait for a disk that does not answer. */
#define COMMITS_MAX	(256U * 1024 * 1024)

static struct spool		*spool;
static const struct tables	*tables;
static bool			 stopped;

void
transaction_init(struct spool *s, void (*fn)(void))
{
	spool = s;
	accept_init(fn);
}

void
transaction_set_tables(const struct tables *t)
{
	tables = t;
}

void
transaction_stop(void)
{
	stopped = true;
}

unsigned int
transaction_pending(void)
{
	return accept_pending();
}

static void
rcpt_free(struct tx_rcpt *p)
{
	free(p->path);
	free(p->params);
}

static void
transaction_free(struct transaction *tx)
{
	uint32_t	i;

	if (tx == NULL)
		return;
	lookups_free(tx->lookups);
	if (tx->content != NULL)
		spool_message_abort(tx->content);
	for (i = 0; i < tx->nrcpts; i++)
		rcpt_free(&tx->rcpts[i]);
	free(tx->rcpts);
	free(tx->params);
	free(tx->helo);
	check_free(&tx->check);
	free(tx->sender);
	free(tx->relay);
	free(tx);
}

void
transaction_drop(struct grant *g)
{
	if (g->tx != NULL)
		limits_return(g, &g->tx->taken);
	transaction_free(g->tx);
	g->tx = NULL;
}

static struct rights_login
login_of(const struct grant *g)
{
	return (struct rights_login){ .user = g->user, .own = g->own,
	    .tenant = g->tenant,
	    .local = g->local, .utf8 = g->tx != NULL && g->tx->utf8,
	    .scope = &g->scope,
	    .lookups = g->tx != NULL ? g->tx->lookups : NULL };
}

/* The transaction is over; a revoked grant was kept for it alone. */
static void
finish(struct grant *g)
{
	transaction_drop(g);
	if (g->revoked)
		grant_end(g);
}

static void
answer(struct ipc *ch, uint64_t sid, enum verdict verdict, const char *detail)
{
	ipc_start(ch, IPC_SMTP_VERDICT, sid);
	ipc_put_u8(ch, (uint8_t)verdict);
	ipc_put_str(ch, detail);
	ipc_send(ch);
}

static struct grant *
grant_of(struct peer *p, const struct ipc_msg *msg)
{
	return grant_find(p->epoch, msg->sid);
}

static void
log_refused(const struct peer *p, uint64_t sid, const char *user,
    const char *what, enum verdict verdict, const char *text)
{
	log_notice("s=%llx-%llx event=refused user=%s what=%s verdict=%d "
	    "text=%s", (unsigned long long)p->epoch, (unsigned long long)sid,
	    log_q(user), what, (int)verdict, log_q(text));
}

/* --- MAIL --- */

/* May a message of this size come in now? */
static enum verdict
space_for(const struct grant *g, uint64_t size)
{
	enum spool_result	result;

	if (stopped || accept_held() > COMMITS_MAX)
		return VERDICT_TROUBLE;
	if (size > limits_size(g))
		return VERDICT_TOO_BIG;
	if ((result = spool_accepting(spool, NULL)) != SPOOL_OK)
		return accept_verdict(result);
	return size > spool_space(spool) ? VERDICT_NO_SPACE : VERDICT_OK;
}

static struct transaction *
transaction_new(const struct grant *g, struct slice sender, uint64_t size,
    struct slice text, const struct mail_params *params)
{
	struct transaction	*tx;

	if ((tx = calloc(1, sizeof(*tx))) == NULL)
		return NULL;
	tx->size = size;
	tx->large = size > SPOOL_INLINE_MAX;
	tx->sender = strndup(sender.p, sender.len);
	tx->params = strndup(text.p, text.len);
	tx->utf8 = params->smtputf8;
	check_begin(&tx->check, limits_size(g) + SIZE_SLACK);
	tx->check.utf8 = tx->utf8;
	if (tx->sender == NULL || tx->params == NULL) {
		transaction_free(tx);
		return NULL;
	}
	return tx;
}

/* What an operator's rules look at. */
static struct rules_mail
mail_of(const struct grant *g, const char *relay, uint64_t size, bool whole)
{
	return (struct rules_mail){ .epoch = g->epoch, .sid = g->sid,
	    .user = g->user, .tenant = g->tenant, .sender = g->tx->sender,
	    .relay = relay, .size = size, .whole = whole };
}

/* All that databases have to say is there: may the login send as this? */
static enum verdict
decide(struct grant *g, char *detail)
{
	struct rights_login	 login = login_of(g);
	struct transaction	*tx = g->tx;
	const struct conf_match	*rule;
	struct rules_mail	 mail;
	enum verdict		 v;

	if (g->revoked)
		return VERDICT_NO_GRANT;
	if (!tx->utf8 && !orcpt_is_ascii(SLICE_STR(tx->sender)))
		return VERDICT_BAD_SENDER;
	v = rights_match(child_conf(), tables, &login, SLICE_STR(tx->sender),
	    &rule);
	if (v == VERDICT_OK) {
		mail = mail_of(g, rule->relay, tx->size, false);
		v = rules_at_mail(&mail, detail);
	}
	if (v == VERDICT_OK)
		v = terms_mail(&tx->terms, &tx->params, g, tx->size,
		    rule->priority, detail);
	if (v == VERDICT_OK)
		v = space_for(g, tx->size);
	if (v == VERDICT_OK)
		v = limits_mail(g, &tx->taken, tx->size, detail);
	if (v == VERDICT_OK && (tx->relay = strdup(rule->relay)) == NULL)
		v = VERDICT_TROUBLE;
	if (v == VERDICT_OK && tx->terms.lowered) {
		terms_detail(&tx->terms, detail);
		v = VERDICT_PRIORITY_CHANGED;
	}
	return v;
}

/* Answer MAIL; without a right to it the transaction is over. */
static void
answer_mail(struct grant *g, struct peer *p)
{
	char		 detail[RULE_TEXT_MAX] = "";
	enum verdict	 v = decide(g, detail);

	answer(p->ch, g->sid, v, detail);
	if (v == VERDICT_OK || v == VERDICT_PRIORITY_CHANGED) {
		g->tx->state = TX_ENVELOPE;
		return;
	}
	log_refused(p, g->sid, g->user, "mail", v,
	    log_qn(g->tx->sender, strlen(g->tx->sender)));
	finish(g);
}

/* The databases have answered, or will not. */
static void
on_lookups(void *arg)
{
	struct grant	*g = arg;
	struct peer	*p = peers_find(ROLE_FRONTEND, g->epoch);

	/* without it the grant goes with its channel */
	if (p != NULL && g->tx->state == TX_ASKING)
		answer_mail(g, p);
}

/*
 * Must MAIL wait for databases? Not for those that fail, where what is known
 * decides it: their trouble is to be that of their users alone.
 */
static bool
must_wait(const struct grant *g)
{
	struct rights_login	 login = login_of(g);
	const char		*relay;

	if (g->tx->lookups == NULL || !lookups_wait(g->tx->lookups))
		return false;
	return !lookups_ailing(g->tx->lookups) || rights_route(child_conf(),
	    tables, &login, SLICE_STR(g->tx->sender), &relay) ==
	    VERDICT_TROUBLE;
}

/* Ask databases where the rules need them. False when memory is out. */
static bool
ask_lookups(struct grant *g)
{
	struct rights_login	 login = login_of(g);
	const char		*names[LOOKUP_TABLES_MAX];
	size_t			 n;

	n = rights_lookups(child_conf(), &login, names, LOOKUP_TABLES_MAX);
	if (n == 0)
		return true;
	g->tx->lookups = lookups_ask(names, n, g->user, limits_clock(),
	    on_lookups, g);
	return g->tx->lookups != NULL;
}

static int
on_mail(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct mail_params	 params;
	struct grant		*g = grant_of(arg, msg);
	struct slice		 sender, text;
	uint64_t		 size;

	ipc_reader(&r, msg);
	sender = ipc_get_str(&r);
	size = ipc_get_u64(&r);
	text = ipc_get_str(&r);
	if (!ipc_done(&r) || !params_mail_canonical(text, &params) ||
	    !terms_possible(&params) ||
	    (g != NULL && (g->tx != NULL || g->committing)))
		return -1;
	if (g == NULL) {
		log_refused(arg, msg->sid, "", "mail", VERDICT_NO_GRANT,
		    log_qn(sender.p, sender.len));
		answer(ch, msg->sid, VERDICT_NO_GRANT, "");
		return 0;
	}
	if (pause_accept()) {
		log_refused(arg, msg->sid, g->user, "mail", VERDICT_PAUSED,
		    log_qn(sender.p, sender.len));
		answer(ch, msg->sid, VERDICT_PAUSED, "");
		return 0;
	}
	if ((g->tx = transaction_new(g, sender, size, text, &params)) == NULL ||
	    !ask_lookups(g)) {
		answer(ch, msg->sid, VERDICT_TROUBLE, "");
		transaction_drop(g);
		return 0;
	}
	if (!must_wait(g))
		answer_mail(g, arg);
	return 0;
}

/* --- RCPT --- */

/* The recipient as it will be sent, NUL-terminated; false: bad syntax. */
static bool
rcpt_path(struct slice path, bool utf8, char *buf, size_t size)
{
	struct address	a;
	int		n;

	if (slice_is_nocase(path, "postmaster"))
		n = snprintf(buf, size, "%.*s@%s", SLICE_FMT(path),
		    child_conf()->hostname);
	else if ((utf8 ? idna_address_parse(path, &a) :
	    address_parse(path, &a)) == ADDRESS_OK)
		n = snprintf(buf, size, "%.*s", SLICE_FMT(path));
	else
		return false;
	return n > 0 && (size_t)n < size;
}

/* Equal addresses have equal hashes: of the one form that is compared. */
static uint32_t
address_hash(const struct address *a)
{
	char		buf[IDNA_KEY_MAX];
	uint32_t	h = 2166136261U;
	int		i, n;

	if ((n = idna_address_key(a, buf, sizeof(buf))) == -1)
		return 0;
	for (i = 0; i < n; i++)
		h = (h ^ (unsigned char)buf[i]) * 16777619U;
	return h;
}

static bool
has_rcpt(const struct transaction *tx, const struct address *a, uint32_t hash)
{
	struct address	other;
	uint32_t	i;

	for (i = 0; i < tx->nrcpts; i++)
		if (tx->rcpts[i].hash == hash &&
		    address_parse_utf8(SLICE_STR(tx->rcpts[i].path),
		    &other) == ADDRESS_OK && idna_address_equal(a, &other))
			return true;
	return false;
}

/* Room for one more recipient and its parameters in the envelope. */
static enum verdict
rcpt_room(struct transaction *tx, size_t octets)
{
	struct tx_rcpt	*p;
	uint32_t	 cap;

	if (tx->nrcpts >= child_conf()->limits.recipients ||
	    tx->env_size + octets > ENVELOPE_RCPTS_SIZE_MAX)
		return VERDICT_TOO_MANY_RCPTS;
	if (tx->nrcpts == tx->cap) {
		cap = tx->cap == 0 ? 4 : tx->cap * 2;
		if ((p = reallocarray(tx->rcpts, cap, sizeof(*p))) == NULL)
			return VERDICT_TROUBLE;
		tx->rcpts = p;
		tx->cap = cap;
	}
	tx->env_size += octets;
	return VERDICT_OK;
}

static enum verdict
add_rcpt(const struct grant *g, struct slice path, struct slice params,
    char *detail)
{
	struct transaction	*tx = g->tx;
	struct address	 a;
	struct tx_rcpt	*p;
	enum verdict	 v;
	char		 buf[ENVELOPE_PATH_MAX + 1];
	struct rules_mail	 mail;
	uint32_t	 hash;

	if (!rcpt_path(path, tx->utf8, buf, sizeof(buf)) ||
	    address_parse_utf8(SLICE_STR(buf), &a) != ADDRESS_OK)
		return VERDICT_BAD_RCPT;
	if (!scope_rcpt(&g->scope, SLICE_STR(buf)) ||
	    (child_conf()->literals_refused && a.domain.p[0] == '['))
		return VERDICT_RCPT_DENIED;
	hash = address_hash(&a);
	if (has_rcpt(tx, &a, hash))
		return VERDICT_OK;	/* one delivery is enough (X-rcpt-2) */
	mail = mail_of(g, tx->relay, tx->size, false);
	if ((v = rules_at_rcpt(&mail, buf, detail)) != VERDICT_OK)
		return v;
	if ((v = rcpt_room(tx, strlen(buf) + params.len + 4)) != VERDICT_OK)
		return v;
	if ((v = limits_rcpt(g, &tx->taken, detail)) != VERDICT_OK) {
		tx->env_size -= strlen(buf) + params.len + 4;
		return v;
	}
	p = &tx->rcpts[tx->nrcpts];
	*p = (struct tx_rcpt){ .path = strdup(buf), .hash = hash };
	if (params.len > 0)
		p->params = strndup(params.p, params.len);
	if (p->path == NULL || (params.len > 0 && p->params == NULL)) {
		rcpt_free(p);
		return VERDICT_TROUBLE;
	}
	tx->nrcpts++;
	return VERDICT_OK;
}

/* An ORCPT that names somebody else is kept, and noted (R3461-4.2-a). */
static void
log_orcpt(const struct grant *g, struct slice path, struct slice orcpt)
{
	char	mine[3 * ENVELOPE_PATH_MAX + 64];

	if (orcpt.p == NULL)
		return;
	if (orcpt_encode(path, false, mine, sizeof(mine)) != -1 &&
	    slice_is_nocase(orcpt, mine))
		return;
	log_info("s=%llx-%llx event=orcpt user=%s to=%s orcpt=%s",
	    (unsigned long long)g->epoch, (unsigned long long)g->sid,
	    log_q(g->user), log_qn(path.p, path.len),
	    log_qn(orcpt.p, orcpt.len));
}

static int
on_rcpt(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct rcpt_params	 params;
	struct grant		*g = grant_of(arg, msg);
	struct slice		 path, text;
	enum verdict		 v;
	char			 detail[RULE_TEXT_MAX] = "";

	ipc_reader(&r, msg);
	path = ipc_get_str(&r);
	text = ipc_get_str(&r);
	if (!ipc_done(&r) || !params_rcpt_canonical(text, &params) ||
	    g == NULL || g->tx == NULL ||
	    g->tx->state != TX_ENVELOPE)
		return -1;
	v = g->revoked ? VERDICT_NO_GRANT : add_rcpt(g, path, text, detail);
	if (v != VERDICT_OK)
		log_refused(arg, msg->sid, g->user, "rcpt", v,
		    log_qn(path.p, path.len));
	else
		log_orcpt(g, path, params.orcpt);
	answer(ch, msg->sid, v, detail);
	return 0;
}

/* --- DATA --- */

static int
on_data(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct grant		*g = grant_of(arg, msg);
	struct transaction	*tx;
	struct slice		 helo, version, cipher;
	uint8_t			 flags;

	(void)ch;
	ipc_reader(&r, msg);
	helo = ipc_get_str(&r);
	flags = ipc_get_u8(&r);
	version = ipc_get_str(&r);
	cipher = ipc_get_str(&r);
	ipc_get_u8(&r);
	if (!ipc_done(&r) || g == NULL || (tx = g->tx) == NULL ||
	    tx->state != TX_ENVELOPE || tx->nrcpts == 0)
		return -1;
	tx->state = TX_DATA;
	tx->esmtp = flags & 1;
	tx->tls = (flags & 2) != 0;
	if (cipher.len < sizeof(tx->cipher))
		memcpy(tx->cipher, cipher.p, cipher.len);
	if (child_conf()->client_shown && !g->local)
		tx->helo = strndup(helo.p, helo.len);
	log_debug("s=%llx-%llx event=data helo=%s tls=%s cipher=%s",
	    (unsigned long long)g->epoch, (unsigned long long)g->sid,
	    log_qn(helo.p, helo.len), log_qn(version.p, version.len),
	    log_qn(cipher.p, cipher.len));
	return 0;
}

/*
 * Give back the octets that were taken, at once: they count against what all
 * messages of the front-end may have under way.
 */
static void
credit(struct ipc *ch, uint64_t sid, size_t n)
{
	if (n == 0)
		return;
	ipc_start(ch, IPC_SMTP_CREDIT, sid);
	ipc_put_u32(ch, (uint32_t)n);
	ipc_send(ch);
}

/* The verdict so far. */
static enum verdict
tx_verdict(const struct transaction *tx)
{
	return tx->check.verdict != VERDICT_OK ? tx->check.verdict :
	    tx->verdict;
}

/* A refused message needs no room while the rest of it comes in. */
static void
drop_refused(struct transaction *tx)
{
	if (tx_verdict(tx) != VERDICT_OK && tx->content != NULL) {
		spool_message_abort(tx->content);
		tx->content = NULL;
	}
}

static void
append(struct transaction *tx, const void *p, size_t len)
{
	if (tx_verdict(tx) != VERDICT_OK || len == 0)
		return;
	tx->verdict = accept_verdict(spool_message_append(tx->content, p, len));
}

static void
put_header(void *arg, const void *p, size_t len)
{
	struct transaction	*tx = arg;

	append(tx, p, len);
	tx->header_len += len;
	if (tx->utf8 && !tx->utf8header)
		tx->utf8header = check_8bit(p, len);
}

/*
 * With the null reverse-path every rule takes the mail, so that says nothing
 * of rights: what counts is the rule of the login's own address. Without one
 * any rule will do that allows the names as they are.
 */
static enum verdict
check_null_author(struct author *a, struct slice section,
    const struct rights_login *login)
{
	const struct conf_match	*m;
	struct conf_match	 strict;
	enum verdict		 v, all = VERDICT_SENDER_DENIED;

	v = rights_match(child_conf(), tables, login, SLICE_STR(login->own),
	    &m);
	if (v == VERDICT_OK)
		return author_check(a, section, m, tables, login);
	if (v == VERDICT_TROUBLE)
		return v;
	TAILQ_FOREACH(m, rights_rules(child_conf(), login), entry) {
		if (!rights_concerns(m, login))
			continue;
		strict = *m;
		strict.mismatch = CONF_MISMATCH_REJECT;
		v = author_check(a, section, &strict, tables, login);
		if (v == VERDICT_OK)
			return v;
		if (all != VERDICT_TROUBLE)	/* which may yet become a yes */
			all = v;
	}
	return all;
}

/* Who writes, by the rule that takes the sender now (P3). */
static void
check_author(const struct grant *g, struct author *a)
{
	struct transaction	*tx = g->tx;
	struct rights_login	 login = login_of(g);
	struct slice		 section = SLICE(tx->check.header,
				    tx->check.header_len);
	const struct conf_match	*rule;

	a->text[0] = '\0';
	tx->verdict = rights_match(child_conf(), tables, &login,
	    SLICE_STR(tx->sender), &rule);
	if (tx->verdict == VERDICT_OK)
		tx->verdict = tx->sender[0] == '\0' ?
		    check_null_author(a, section, &login) :
		    author_check(a, section, rule, tables, &login);
	strlcpy(tx->text, a->text, sizeof(tx->text));
}

/* The header is whole and good: begin the message with it. */
static void
begin_content(const struct grant *g)
{
	struct transaction	*tx = g->tx;
	struct author		 author;
	enum spool_result	 result = SPOOL_OK;

	check_header_end(&tx->check);
	check_results(&tx->check, child_conf()->hostname);
	if (tx_verdict(tx) == VERDICT_OK)
		check_author(g, &author);
	if (tx_verdict(tx) != VERDICT_OK)
		return;
	tx->content = spool_message_begin(spool, tx->large ?
	    SPOOL_MESSAGE_LARGE : 0, &result);
	if (tx->content == NULL) {
		tx->verdict = accept_verdict(result);
		if (tx->verdict == VERDICT_OK)
			tx->verdict = VERDICT_TROUBLE;
		return;
	}
	author_section(&author, SLICE(tx->check.header,
	    tx->check.header_len), put_header, tx);
	append(tx, "\r\n", 2);
	check_free(&tx->check);		/* the spool has it */
}

static int
on_header(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct grant		*g = grant_of(arg, msg);
	struct slice		 s;

	ipc_reader(&r, msg);
	s = ipc_get_bytes(&r);
	if (!ipc_done(&r) || g == NULL || g->tx == NULL ||
	    (g->tx->state != TX_DATA && g->tx->state != TX_HEADER))
		return -1;
	g->tx->state = TX_HEADER;
	if (!g->revoked)
		check_header(&g->tx->check, s.p, s.len);
	else
		g->tx->check.size += s.len;
	credit(ch, msg->sid, s.len);
	return 0;
}

static int
on_body(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct grant		*g = grant_of(arg, msg);
	struct transaction	*tx;
	struct slice		 s;

	ipc_reader(&r, msg);
	s = ipc_get_bytes(&r);
	if (!ipc_done(&r) || g == NULL || (tx = g->tx) == NULL ||
	    tx->state < TX_DATA)
		return -1;
	if (g->revoked)
		tx->check.size += s.len;
	else {
		if (tx->state != TX_BODY)
			begin_content(g);
		check_body(&tx->check, s.p, s.len);
		append(tx, s.p, s.len);
		drop_refused(tx);
	}
	tx->state = TX_BODY;
	credit(ch, msg->sid, s.len);
	return 0;
}

/* --- the end --- */

static const char *
rcpt_at(const void *tx, uint32_t i)
{
	return ((const struct transaction *)tx)->rcpts[i].path;
}

/* All octets are there: the verdict on them. */
static enum verdict
end_verdict(struct grant *g)
{
	struct transaction	*tx = g->tx;
	struct rules_mail	 mail = mail_of(g, tx->relay, tx->check.size,
				    true);

	if (g->revoked)
		return VERDICT_NO_GRANT;
	if (tx->state != TX_BODY)
		begin_content(g);
	check_end(&tx->check);
	if (tx_verdict(tx) == VERDICT_OK)
		tx->verdict = rules_at_end(&mail, rcpt_at, tx, tx->nrcpts,
		    &tx->rule, tx->text);
	if (tx_verdict(tx) == VERDICT_OK)
		tx->verdict = terms_end(&tx->terms, g, tx->check.size,
		    tx->text, sizeof(tx->text));
	if (tx_verdict(tx) == VERDICT_OK)
		tx->verdict = limits_end(g, &tx->taken, tx->check.size,
		    tx->text);
	return tx_verdict(tx);
}

static int
on_end(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct ipc_reader	 r;
	struct grant		*g = grant_of(arg, msg);
	const char		*detail = "";
	enum verdict		 v;
	uint64_t		 size;
	uint8_t			 flags;

	ipc_reader(&r, msg);
	size = ipc_get_u64(&r);
	flags = ipc_get_u8(&r);
	if (!ipc_done(&r) || (flags & ~END_FLAGS) || g == NULL ||
	    g->tx == NULL ||
	    g->tx->state < TX_DATA || size != g->tx->check.size)
		return -1;
	if (g->tx->utf8 && (flags & END_UTF8HEADER))
		g->tx->utf8header = true;
	v = end_verdict(g);
	if (v == VERDICT_OK && !accept_commit(g))
		v = VERDICT_TROUBLE;
	if (v == VERDICT_OK)
		g->tx->taken = (struct limits_taken){ 0 };	/* it counts */
	if (v != VERDICT_OK) {
		if (v == g->tx->check.verdict && g->tx->check.reason != NULL)
			detail = g->tx->check.reason;
		else if (v == g->tx->verdict)
			detail = g->tx->text;
		log_refused(arg, msg->sid, g->user, "data", v, detail);
		accept_answer(ch, msg->sid, v, detail, "");
	}
	finish(g);
	return 0;
}

static int
on_reset(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct grant	*g = grant_of(arg, msg);

	(void)ch;
	if (g == NULL || g->tx == NULL)
		return 0;
	/* Each question has its answer, late ones too. */
	if (g->tx->state == TX_ASKING)
		answer(ch, msg->sid, VERDICT_TROUBLE, "");
	finish(g);
	return 0;
}

static int
on_close(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	struct grant	*g = grant_of(arg, msg);

	(void)ch;
	if (g != NULL)
		grant_end(g);
	return 0;
}

const struct ipc_handler transaction_handlers[] = {
	{ IPC_SMTP_MAIL, on_mail },
	{ IPC_SMTP_RCPT, on_rcpt },
	{ IPC_SMTP_DATA, on_data },
	{ IPC_SMTP_HEADER, on_header },
	{ IPC_SMTP_BODY, on_body },
	{ IPC_SMTP_END, on_end },
	{ IPC_SMTP_RESET, on_reset },
	{ IPC_SMTP_CLOSE, on_close },
	{ 0, NULL }
};
