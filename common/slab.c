/*
 * Memory in pieces of few sizes by the million, without what malloc() adds to
 * each. They are named by handles of 32 bits: a message of the queue is in half
 * a dozen lists.
 *
 * A page holds pieces of one size; sizes go by 8 octets, above 512 by eighths.
 * A handle is the page's number and the piece's place in units of 8 octets. A
 * page of which no piece is left goes back. What is large has a page by itself;
 * with the address sanitizer everything has, so that it sees what comes after
 * a piece's end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "slab.h"

#define UNIT		8U
#define PLACE_BITS	13
#define PAGE		(UNIT << PLACE_BITS)	/* octets */
#define PAGES_MAX	(UINT32_MAX >> PLACE_BITS)
#define FINE		512U			/* by 8 octets up to it */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EACH_ALONE
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define EACH_ALONE
#endif
#ifdef EACH_ALONE
#define LARGEST		0U
#else
#define LARGEST		(PAGE / 4)		/* with others in a page */
#endif

_Static_assert(SLAB_CLASSES == FINE / UNIT + 5 * 8 + 1, "sizes up to LARGEST");

struct slab_page {
	uint8_t		*mem;
	uint32_t	 size;		/* of a piece */
	uint32_t	 used;		/* pieces given out */
	uint32_t	 fresh;		/* so many were at some time */
	uint32_t	 idle;		/* unit + 1 of a free piece; 0: none */
	uint32_t	 prev, next;	/* of its class, with room */
	uint32_t	 class;		/* SLAB_CLASSES: one piece by itself */
};

/* The class of that size, and the size of its pieces. */
static uint32_t
class_of(uint32_t size, uint32_t *piece)
{
	uint32_t	step, class, top;

	if (size <= FINE) {
		*piece = (size + UNIT - 1) / UNIT * UNIT;
		return *piece / UNIT;
	}
	class = FINE / UNIT;
	for (top = FINE; size > 2 * top; top *= 2)
		class += 8;
	step = top / 8;
	*piece = (size + step - 1) / step * step;
	return class + (*piece - top) / step;
}

/* A number for a page; 0: there is none. */
static uint32_t
number_new(struct slab *s)
{
	struct slab_page	*p;
	uint32_t		 n;

	if ((n = s->gone) != 0) {
		s->gone = s->pages[n].next;
		return n;
	}
	if (s->npages + 1 >= s->apages) {
		if (s->apages >= PAGES_MAX)
			return 0;
		n = s->apages + s->apages / 2 + 64;
		n = n > PAGES_MAX ? PAGES_MAX : n;
		if ((p = reallocarray(s->pages, n, sizeof(*p))) == NULL)
			return 0;
		s->pages = p;
		s->apages = n;
	}
	return ++s->npages;
}

/* A page with one piece of that size, or as many as there is room for. */
static uint32_t
page_new(struct slab *s, uint32_t class, uint32_t piece, size_t octets)
{
	uint8_t		*mem;
	uint32_t	 n;

	if ((mem = malloc(octets)) == NULL)
		return 0;
	if ((n = number_new(s)) == 0) {
		free(mem);
		return 0;
	}
	memset(&s->pages[n], 0, sizeof(s->pages[n]));
	s->pages[n].mem = mem;
	s->pages[n].size = piece;
	s->pages[n].class = class;
	return n;
}

static void
page_free(struct slab *s, uint32_t n)
{
	free(s->pages[n].mem);
	s->pages[n].mem = NULL;
	s->pages[n].next = s->gone;
	s->gone = n;
}

static int
has_room(const struct slab_page *p)
{
	return p->idle != 0 || (p->fresh + 1) * p->size <= PAGE;
}

static void
link_page(struct slab *s, uint32_t n)
{
	struct slab_page	*p = &s->pages[n];

	p->prev = 0;
	p->next = s->room[p->class];
	if (p->next != 0)
		s->pages[p->next].prev = n;
	s->room[p->class] = n;
}

static void
unlink_page(struct slab *s, uint32_t n)
{
	struct slab_page	*p = &s->pages[n];

	if (p->prev != 0)
		s->pages[p->prev].next = p->next;
	else
		s->room[p->class] = p->next;
	if (p->next != 0)
		s->pages[p->next].prev = p->prev;
}

/* A free piece of the page, as its first unit. */
static uint32_t
piece_take(struct slab_page *p)
{
	uint32_t	unit;

	p->used++;
	if (p->idle == 0)
		return p->fresh++ * p->size / UNIT;
	unit = p->idle - 1;
	memcpy(&p->idle, p->mem + unit * UNIT, sizeof(p->idle));
	return unit;
}

static uint32_t
take_alone(struct slab *s, size_t size)
{
	uint32_t	n;

	if ((n = page_new(s, SLAB_CLASSES, 0, size)) == 0)
		return 0;
	memset(s->pages[n].mem, 0, size);
	return n << PLACE_BITS;
}

uint32_t
slab_take(struct slab *s, size_t size)
{
	uint32_t	class, piece, n, unit;

	if (size == 0)
		size = 1;
	if (size > LARGEST)
		return take_alone(s, size);
	class = class_of((uint32_t)size, &piece);
	if ((n = s->room[class]) == 0) {
		if ((n = page_new(s, class, piece, PAGE)) == 0)
			return 0;
		link_page(s, n);
	}
	unit = piece_take(&s->pages[n]);
	if (!has_room(&s->pages[n]))
		unlink_page(s, n);
	memset(s->pages[n].mem + unit * UNIT, 0, piece);
	return n << PLACE_BITS | unit;
}

void *
slab_at(const struct slab *s, uint32_t handle)
{
	return s->pages[handle >> PLACE_BITS].mem +
	    (handle & ((1U << PLACE_BITS) - 1)) * UNIT;
}

void
slab_give(struct slab *s, uint32_t handle)
{
	uint32_t		 n = handle >> PLACE_BITS;
	struct slab_page	*p = &s->pages[n];
	int			 had_room;

	if (p->class == SLAB_CLASSES) {
		page_free(s, n);
		return;
	}
	had_room = has_room(p);
	memcpy(slab_at(s, handle), &p->idle, sizeof(p->idle));
	p->idle = (handle & ((1U << PLACE_BITS) - 1)) + 1;
	if (--p->used == 0) {
		if (had_room)
			unlink_page(s, n);
		page_free(s, n);
	} else if (!had_room)
		link_page(s, n);
}

void
slab_clear(struct slab *s)
{
	uint32_t	i;

	for (i = 1; i <= s->npages; i++)
		free(s->pages[i].mem);
	free(s->pages);
	*s = (struct slab){ 0 };
}
