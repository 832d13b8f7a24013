/* What tests of the configuration share. Link conf_side.c. */
#ifndef UNIT_CONF_SIDE_H
#define UNIT_CONF_SIDE_H

struct conf;

/* Parse text that is right. */
struct conf *parse(const char *text);
/* Parse text that is wrong; the errors must be exactly these lines. */
void	 refuse(const char *text, const char *want);

#endif
