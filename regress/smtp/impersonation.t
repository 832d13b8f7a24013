# Nobody sends as somebody else (P3): MAIL FROM, From, Sender and Resent-From
# with every trick of quoting, case, folding, comments, groups, encoded words,
# UTF-8 and several addresses; and what from-mismatch makes of it.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;

my $d = Msad->new(start => 0);
my ($ann, $bob, $cat, $dan, $eve) = map { $d->account($_) } 0 .. 4;
my ($me, $you) = ($ann->{address}, $bob->{address});
my ($name) = $me =~ /^(.*)@/;
my ($other) = $you =~ /^(.*)@/;
$d->{tables} = "table \"a\" { \"$ann->{name}\" = \"alias\@example.org, \@ann.example\" }\n" .
    "table \"c\" { \"$cat->{name}\" = \"$cat->{address}\" }\n" .
    "table \"d\" { \"$dan->{name}\" = \"$dan->{address}\" }\n" .
    "table \"e\" { \"$eve->{name}\" = \"j\xc3\xb6rg\@m\xc3\xbcnchen.example, " .
    "\@xn--bcher-kva.example\" }\n" .
    "append-domain \"example.org\"\n" .
    "append-domain { \"corp\", \"lab\" } \"example.com\"\n";
$d->{match} = "match from auth sender <c> from-mismatch add-sender relay \"box\"\n" .
    "match from auth sender <d> from-mismatch rewrite relay \"box\"\n" .
    "match from auth sender { own, <a>, <e> } relay \"box\"\n";
$d->write_conf;
$d->start;

my $serial = 0;
my $r;

# Submit a header by a session; the reply, and what arrived when it was 250.
sub sent {
	my ($c, $from, $header, $param) = @_;
	my $id = sprintf('number %d.', ++$serial);
	my $r = $c->submit($from, 'rcpt@x.example',
	    "${header}Subject: $id\r\n\r\nx\r\n", mail => $param);
	$c->cmd('RSET') if $r->{code} != 250;
	return ($r, '') if $r->{code} != 250;
	my $re = qr/^Subject: \Q$id\E\r?$/m;
	$d->mails_wait(1, $re) or return ($r, '');
	my ($mail) = grep { $_ =~ $re } $d->mails;
	$mail =~ s/\r\n/\n/g;
	$mail =~ s/\n\n.*//s;
	return ($r, "$mail\n");
}

sub refused {
	my ($c, $header, $code, $enh, $says, $what, $mail) = @_;
	my ($r) = sent($c, $me, $header, $mail);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{code} == $code && $r->{enh} eq $enh && $r->{text} =~ $says, $what)
	    or diag("got: $r->{text}");
}

my $c = $d->session(0);

# --- the envelope ---
for my $from ($you, uc($you), "\"$other\"\@example.org", "\"\\" .
    substr($other, 0, 1) . substr($other, 1) . "\"\@example.org",
    "\@relay.example:$you", "$name\@example.org.evil.example",
    "$name\@evil.example", "\"$name\@example.org\"\@evil.example",
    "$name+x\@example.org", "\" $name\"\@example.org") {
	my $r = $c->cmd("MAIL FROM:<$from>");
	is("$r->{code} $r->{enh}", '550 5.7.1', "R6409-6.1-a MAIL FROM:<$from>");
	$c->cmd('RSET');
}
for my $from ("\xd0\xb0nn\@example.org", "$name\@ex\xd0\xb0mple.org", "<$you>", "$you,$me") {
	my $r = $c->cmd("MAIL FROM:<$from>");
	like($r->{code}, qr/^5/, 'R6409-6.1-a MAIL with what is no address of mine');
	$c->cmd('RSET');
}

# --- From: what is refused as another's (550), and what cannot be read (554) ---
my @another = (
	['plain', $you],
	['angle', "<$you>"],
	['my name, another address', "$name <$you>"],
	['my address as the name', "\"$me\" <$you>"],
	['upper case', uc($you)],
	['needless quoting', "\"$other\"\@example.org"],
	['quoted pairs', join('', '"', (map { "\\$_" } split //, $other), '"@example.org')],
	['a fold before it', "\r\n $you"],
	['folds around the angle', "x\r\n <$you>\r\n\t"],
	['comments around', "($me) $you ($me)"],
	['a comment that holds an angle address', "(<$me>) <$you>"],
	['comments within', "$other(a)@(b)example(c).(d)org"],
	['nested comments', "(a (b ($me) c) d) $you"],
	['a comment with a quoted bracket', "(\\) $me) $you"],
	['blanks around the dot', "$other @ example . org"],
	['a route', "<\@relay.example:$you>"],
	['a route that names my domain', "<\@example.org,\@example.org:$you>"],
	['a group', "us: $you;"],
	['a group of both', "us: $me, $you;"],
	['my group, then another', "us: $me;, $you"],
	['two: me first', "$me, $you"],
	['two: another first', "$you, $me"],
	['two with names', "\"a, b\" <$me>, c <$you>"],
	['empty members', ", , $you, ,"],
	['an empty group', 'nobody:;'],
	['a quoted string that looks like an address', "\"x\\\" <$me>, \\\"\" <$you>"],
	['a domain that begins alike', "$name\@example.org.evil.example"],
	['a domain that ends alike', "$name\@notexample.org"],
	['a subdomain', "$name\@sub.example.org"],
	['a domain literal', "$name\@[192.0.2.1]"],
	['an encoded word as the local part', "=?utf-8?Q?$name?=\@example.org"],
	['an encoded word that holds my address', "=?utf-8?Q?$name=40example.org?= <$you>"],
	['an encoded word that holds a bracket', "=?utf-8?Q?=3C$name=40example.org=3E?= <$you>"],
	['UTF-8 in the name', "J\xc3\xbcrgen <$you>"],
	['my address within quotes as a local part', "\"$me\"\@evil.example"],
	['blanks within quotes', "\" $name\"\@example.org"],
	['a domain appended', $other],
	['a label appended', "$name\@corp"],
	['detail behind a plus', "$name+x\@example.org"],
);
my @unreadable = (
	['two without a comma', "$me $you", qr/From/],
	['two angle addresses', "<$me> <$you>", qr/From/],
	['an angle address within', "<$me <$you>>", qr/From/],
	['no closing bracket', "Ann <$you", qr/closing bracket/],
	['an open comment', "$me ($you", qr/comment without its end/],
	['an open quote', "\"$me <$you>", qr/quoted string without its end/],
	['a semicolon', "$me; $you", qr/semicolon/],
	['groups within a group', "a: b: $you;;", qr/group within a group/],
	['33 comments deep', '(' x 33 . ')' x 33 . " $me", qr/deeper than 32/],
	['UTF-8 in the local part', "\xd0\xb0nn\@example.org", qr/outside ASCII/],
	['UTF-8 in the domain', "$name\@ex\xd0\xb0mple.org", qr/outside ASCII/],
	['UTF-8 in a comment', "$me (\xc3\xbc)", qr/comment/],
	['not UTF-8', "\xff <$me>", qr/not UTF-8/],
	['a control character', "$me\x01", qr/From/],
	['a control character in the name', "\"\x7f\" <$me>", qr/control/],
	['nothing', '', qr/From/],
	['a name alone', 'Ann Lee', qr/From/],
	['two at signs', "$name\@example.org\@evil.example", qr/From/],
);
for my $t (@another) {
	refused($c, "From: $t->[1]\r\n", 550, '5.7.1', qr/From field names/,
	    "R6409-6.1-b From: $t->[0]");
}
for my $t (@unreadable) {
	refused($c, "From: $t->[1]\r\n", 554, '5.6.0', $t->[2], "R6409-5.1-b From: $t->[0]");
}
refused($c, "From: $me\r\nFrom: $you\r\n", 554, '5.6.0', qr/more than one From/,
    'R5322-3.6-b two From fields');
refused($c, "From: $me\r\nfRoM \t: $you\r\n", 554, '5.6.0', qr/more than one From/,
    'R5322-3.6-b in other case, with blanks before the colon');
refused($c, "FROM \t: $you\r\n", 550, '5.7.1', qr/From field names/,
    'R6409-6.1-b From in capitals with blanks before the colon');
refused($c, "From\xc2\xa0: $you\r\nFrom: $me\r\n", 554, '5.6.0', qr/not a field/,
    'R5322-2.2-a a name that only looks like From');
refused($c, "From:\r\n $you\r\n", 550, '5.7.1', qr/\Q$you\E/,
    'R6409-6.1-b From on a continuation line, and the reply says which address');

$c->quit;
$c = $d->session(0);	# 100 messages a session are allowed

# --- Sender and the Resent fields ---
for my $t (['plain', $you], ['folded', "\r\n\t<$you>"], ['comment', "(x) $you ($me)"],
    ['quoted', "\"$other\"\@example.org"], ['upper case', uc($you)]) {
	refused($c, "From: $me\r\nSender: $t->[1]\r\n", 550, '5.7.1', qr/Sender field names/,
	    "R6409-6.1-b Sender: $t->[0]");
	refused($c, "Resent-From: $t->[1]\r\nFrom: $me\r\n", 550, '5.7.1',
	    qr/Resent-From field names/, "R5322-3.6.6-a Resent-From: $t->[0]");
	refused($c, "Resent-From: $me\r\nResent-Sender: $t->[1]\r\nFrom: $me\r\n", 550, '5.7.1',
	    qr/Resent-Sender field names/, "R5322-3.6.6-a Resent-Sender: $t->[0]");
	refused($c, "Resent-Sender: $t->[1]\r\nFrom: $me\r\n", 550, '5.7.1',
	    qr/Resent-Sender field names/, "R6409-6.1-b Resent-Sender alone: $t->[0]");
}
refused($c, "From: $me\r\nSender: $me, $you\r\n", 554, '5.6.0', qr/one address/,
    'R5322-3.6.2 Sender with two addresses');
refused($c, "From: $me\r\nSender: g: $me;\r\n", 554, '5.6.0', qr/one address/,
    'R5322-3.6.2 Sender with a group');
refused($c, "Resent-From: $me, $you\r\nFrom: $me\r\n", 550, '5.7.1',
    qr/Resent-From/, 'R6409-6.1-b Resent-From of two');
refused($c, "Resent-From: $you\r\nResent-From: $me\r\nFrom: $me\r\n", 550, '5.7.1',
    qr/Resent-From/, 'R6409-6.1-b the newest Resent-From counts');

# --- what passes, and how it arrives ---
sub arrives {
	my ($session, $from, $in, $like, $what, $mail) = @_;
	my ($r, $head) = sent($session, $from, $in, $mail);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{code} == 250 && $head =~ $like, $what)
	    or diag("got: $r->{text}\n$head");
	return $head;
}
arrives($c, $me, "From: $me\r\n", qr/^From: \Q$me\E$/m, 'my own address');
arrives($c, $me, "From: Ann (x)\r\n\t<$me>\r\n", qr/^From: Ann \(x\)\n\t<\Q$me\E>$/m,
    'R5322-2.2.3-a name, comment and fold stay as they are');
arrives($c, $me, "From: \"$name\"\@EXAMPLE.org\r\n", qr/^From: "/m,
    'R5321-4.1.2-a quoting and case of the domain');
arrives($c, $me, "From: alias\@example.org\r\nSender: $me\r\n",
    qr/^From: alias\@example\.org\nSender: \Q$me\E$/m, 'R6409-6.1-b an alias, and my Sender');
my $h = arrives($c, $me, "From: $me, alias\@example.org\r\n", qr/^Sender: \Q$me\E$/m,
    'R5322-3.6.2-a several addresses of mine get a Sender');
$h = arrives($c, $me, "From: us: $me;\r\n", qr/^From: us: \Q$me\E;$/m,
    'R6854-2-a a group in From');
unlike($h, qr/^Sender:/m, 'which needs no Sender');
arrives($c, $me, "From: <\@r.example:$me>\r\n", qr/^From: <\Q$me\E>$/m,
    'R5322-4.4-a a route goes');
arrives($c, $me, "From: $name (c) @ example . org\r\n", qr/^From: \Q$me\E \(c\)$/m,
    'R5322-4.4-a blanks around dots go');
arrives($c, $me, "From: $name\r\n", qr/^From: \Q$me\E$/m,
    'R6409-4.2-c a domain is appended before rights are asked');
arrives($c, $me, "From: J\xc3\xbcrgen <$me>\r\n", qr/^From: =\?utf-8\?Q\?J=C3=BCrgen\?= <\Q$me\E>$/m,
    'R6409-6.5-a a name in UTF-8 is encoded');
arrives($c, $me, "From: $me\r\nTo: bob, eve\@lab\r\nCc: x\@y.example\r\nCc: z\@y.example\r\n",
    qr/^To: bob\@example\.org,\n eve\@lab\.example\.com\nCc: x\@y\.example,\n z\@y\.example$/m,
    'R6409-4.2-c, R5322-4.5.3-a To is completed, Cc merged');
$h = arrives($c, $me, "From: $me\r\nBcc: secret\@x.example\r\n", qr/^To: undisclosed-recipients:;$/m,
    'R6409-8.8-b Bcc goes, and a destination is there');
unlike($h, qr/secret/, 'without a trace of it');
$h = arrives($c, $me, "Authentication-Results: mail.EXAMPLE.org; auth=pass\r\n" .
    "Authentication-Results: mx.other.example; spf=pass\r\nFrom: $me\r\n",
    qr/^Authentication-Results: mx\.other\.example/m, 'R8601-5-b that of others stays');
unlike($h, qr/mail\.example\.org; auth/i, 'R8601-5-a a forged one goes');
my $block = "Resent-From: $me\r\nResent-To: r\@x.example\r\nResent-From: o\@x.example\r\n";
(my $as_sent = $block) =~ s/\r//g;
arrives($c, $me, "${block}From: old\@author.example\r\n", qr/^\Q$as_sent\EFrom: old/m,
    'R5322-3.6.6-a Resent blocks stay in place, the newest is the author');
refused($c, "From: $me\r\nTo: ann\@nowhere\r\n", 554, '5.6.0', qr/the To field has/,
    'R6409-4.2-c a label that is not listed');

$c->quit;
$c = $d->session(0);

# --- the null reverse-path, which every rule takes ---
($r) = sent($c, '', "From: $you\r\n");
is("$r->{code} $r->{enh}", '550 5.7.1', 'R6409-6.1-b MAIL FROM:<> opens no other rule');
arrives($c, '', "From: $me\r\n", qr/^From: \Q$me\E$/m, 'R6409-3.2-a in my own name it passes');

# --- the envelope's domains ---
$r = $c->cmd("MAIL FROM:<$me>");
is($c->cmd('RCPT TO:<x@corp>')->{code}, 250, 'R6409-4.2-b a listed label is expanded');
$r = $c->cmd('RCPT TO:<x@nowhere>');
is("$r->{code} $r->{enh}", '554 5.1.2', 'R6409-4.2-a another is not');
$c->cmd('RSET');
$r = $c->cmd("MAIL FROM:<$name\@corp>");
is("$r->{code} $r->{enh}", '550 5.7.1', 'R6409-4.2-b expanded before rights are asked');
$c->cmd('RSET');
$c->quit;

# --- from-mismatch add-sender ---
$c = $d->session(2);
my $cat_me = $cat->{address};
$h = arrives($c, $cat_me, "From: Boss <$you>\r\n", qr/^Sender: \Q$cat_me\E$/m,
    'R6409-8.1-a add-sender: Sender says who it was');
like($h, qr/^From: Boss <\Q$you\E>$/m, 'From stays');
$h = arrives($c, $cat_me, "Sender: $me\r\nFrom: $you\r\n", qr/^Sender: \Q$cat_me\E$/m,
    'R6409-8.1-a a false Sender is replaced');
is(() = $h =~ /^Sender:/mg, 1, 'there is one');
$h = arrives($c, $cat_me, "From: $cat_me\r\n", qr/^From: \Q$cat_me\E$/m, 'without mismatch');
unlike($h, qr/^Sender:/m, 'none is added');
($r) = sent($c, $cat_me, "From: nobody:;\r\n");
is("$r->{code} $r->{enh}", '550 5.7.1', 'R6854-2-a an empty group is refused all the same');
($r) = sent($c, $cat_me, "Resent-From: $you\r\nFrom: $cat_me\r\n");
is("$r->{code} $r->{enh}", '550 5.7.1', 'Resent-From is refused all the same');
$r = $c->cmd("MAIL FROM:<$you>");
is("$r->{code} $r->{enh}", '550 5.7.1', 'and so is MAIL');
$c->cmd('RSET');
$c->quit;

# --- from-mismatch rewrite ---
$c = $d->session(3);
my $dan_me = $dan->{address};
$h = arrives($c, $dan_me, "Sender: $me\r\nFrom: \"Boss\" <$you>\r\n",
    qr/^From: "Boss" <\Q$dan_me\E>$/m, 'R6409-8.1-a rewrite: From becomes the own address');
unlike($h, qr/\Q$you\E|^Sender:/m, 'and nothing of the other is left');
$h = arrives($c, $dan_me, "From: $dan_me\r\nSender: $you\r\n", qr/^From: \Q$dan_me\E$/m,
    'From may stay');
unlike($h, qr/^Sender:/m, 'a false Sender goes');
$c->quit;

# --- SMTPUTF8: what looks like an address is not it ---
my ($nfc, $nfd) = ("j\xc3\xb6rg", "jo\xcc\x88rg");
my ($ul, $al) = ("m\xc3\xbcnchen.example", 'xn--mnchen-3ya.example');
my $jo = "$nfc\@$ul";
(my $wide = $name) =~ s/^m/\xef\xbd\x8d/;		# fullwidth m
my @utf8 = (
	['a Cyrillic letter in the local part', do { (my $x = $name) =~ s/e/\xd0\xb5/; "$x\@example.org" }],
	['a wide letter in the local part', "$wide\@example.org"],
	['a Cyrillic letter in the domain', "$name\@ex\xd0\xb0mple.org"],
	['a wide letter in the domain', "$name\@\xef\xbd\x85xample.org"],
	['a wide dot', "$name\@example\xef\xbc\x8eorg"],
	['an ideographic dot', "$name\@example\xe3\x80\x82org"],
	['a wide at sign and mine behind', "$other\xef\xbc\xa0example.org\@evil.example"],
	['a wide at sign and mine before', "$name\@example.org\xef\xbc\xa0evil.example"],
	['a soft hyphen', "$name\@exam\xc2\xadple.org"],
	['a zero width space', "$name\xe2\x80\x8b\@example.org"],
	['a zero width joiner in the domain', "$name\@example\xe2\x80\x8d.org"],
	['a right-to-left override', "\xe2\x80\xae$name\@example.org"],
	['a combining mark', "$name\xcc\x88\@example.org"],
	['a decomposed local part', "$nfd\@$ul"],
	['the same with the A-label', "$nfd\@$al"],
	['a capital in the local part', "J\xc3\xb6rg\@$ul"],
	['a capital umlaut in the local part', "j\xc3\x96rg\@$ul"],
	['the umlaut left out', "jorg\@$ul"],
	['the domain without its umlaut', "$nfc\@munchen.example"],
	['a subdomain', "$nfc\@a.$ul"],
	['a false A-label', "$nfc\@xn--mnchen-3yb.example"],
	['punycode in the local part', "xn--jrg-sna\@$ul"],
);
my @mine = (
	['as in the table', $jo], ['with the A-label', "$nfc\@$al"],
	['the A-label in capitals', "$nfc\@XN--MNCHEN-3YA.EXAMPLE"],
	['a decomposed domain', "$nfc\@mu\xcc\x88nchen.example"],
	['quoted', "\"$nfc\"\@$ul"], ['a capital of ASCII', "$nfc\@M\xc3\xbcnchen.Example"],
	['a domain of the table', "\xe6\x97\xa5\@b\xc3\xbccher.example"],
);
$c = $d->session(4);
for my $t (@utf8) {
	$r = $c->cmd("MAIL FROM:<$t->[1]> SMTPUTF8");
	like("$r->{code} $r->{enh}", qr/^(550 5\.7\.1|501 5\.1\.7)$/, "R6409-6.1-a, R6531-3.3-a MAIL: $t->[0]");
	if ($r->{code} == 250) {
		$c->cmd('RSET');
	} elsif ($r->{code} == 501) {	# ten bad commands end a session
		$c->quit;
		$c = $d->session(4);
	}
}
for my $t (@mine) {
	$r = $c->cmd("MAIL FROM:<$t->[1]> SMTPUTF8");
	is("$r->{code} $r->{enh}", '250 2.1.0', "R6409-6.1-a MAIL: $t->[0]");
	$c->cmd('RSET');
}
$c->quit;
my $e = $d->session(4);
$c = $d->session(0);
my $eve_me = $eve->{address};
for my $t (@utf8) {
	my $who = $t->[1] =~ /\Q$name\E|\Q$wide\E|example\.org/ ? $c : $e;
	my $from = $who == $c ? $me : $eve_me;
	for my $f ("From: $t->[1]", "From: <$t->[1]>", "From: $from\r\nSender: $t->[1]",
	    "Resent-From: $t->[1]\r\nFrom: $from") {
		my ($r) = sent($who, $from, "$f\r\n", ' SMTPUTF8');
		my ($field) = $f =~ /([\w-]+): <?\Q$t->[1]\E/;
		like("$r->{code} $r->{enh}", qr/^(550 5\.7\.1|554 5\.6\.0)$/, "R6409-6.1-b $field: $t->[0]");
	}
}
$e->quit;
$c->quit;
$c = $d->session(4);
for my $t (@mine) {
	arrives($c, $eve_me, "From: J\xc3\xb6 (\xc3\xb6) <$t->[1]>\r\nSender: $eve_me\r\n",
	    qr/^From: J\xc3\xb6 \(\xc3\xb6\) <\Q$t->[1]\E>$/m, "R6532-3-a From: $t->[0]", ' SMTPUTF8');
}
# names, comments and words around it change nothing
for my $t (['as a name', "\"$jo\" <$you>"], ['in a comment', "$you ($jo)"],
    ['in brackets of another script', "\xef\xbc\x9c$jo\xef\xbc\x9e <$you>"],
    ['a wide comma', "$eve_me\xef\xbc\x8c$you"], ['a group named so', "$jo: $you;"],
    ['as the first of two', "$jo, $you"]) {
	my ($r) = sent($c, $eve_me, "From: $t->[1]\r\n", ' SMTPUTF8');
	like("$r->{code} $r->{enh}", qr/^(550 5\.7\.1|554 5\.6\.0)$/, "R6409-6.1-b my address $t->[0]");
}
$c->quit;

$d->done;
done_testing;
