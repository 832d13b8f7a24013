# Rules of an operator for mail still to come, the history of a message and its
# octets: what msactl says holds, at once and after kill -9.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;

my $d = Msad->new(start => 0);
my $u = $d->account(0);
my $v = $d->account(1);
my $hop = $d->nexthop(down => 1);
$d->{relay} = "relay \"down\" { host 127.0.0.1 port $hop->{port} retry { 1h } }\n";
$d->{tables} = "table \"v\" { \"$v->{name}\" = \"$v->{address}\" }\n";
$d->{match} = "match from auth sender <v> relay \"down\"\n" .
    "match from auth sender own relay \"box\"\n";
$d->write_conf;
$d->start;

sub rule { return $d->msactl('queue', 'rule', @_) }
sub rules { return @{ $d->msactl('-j', 'queue', 'rule', 'list')->{json} } }
sub events {
	my ($id) = @_;
	return @{ $d->msactl('-j', 'queue', 'log', $id)->{json} };
}
my $from = $u->{address};
sub text { my ($n, $size) = @_;
	return "From: <$from>\r\nSubject: $n\r\n\r\n" . ('x' x 70 . "\r\n") x ($size // 1) }

my $c = $d->session(0);

# --- reject, as early as it can be told
my $r = rule('add', 'reject', 'user', $u->{name}, 'for', '1h', 'reason', 'Under review');
is($r->{status}, 0, 'rule add reject user') or diag($r->{err});
ok($d->log_wait(qr/event=rule-added rule=1 action=reject uid=0 .*reason="Under review"/),
    'it is logged, with who did it');
$r = $c->cmd("MAIL FROM:<$u->{address}>");
is("$r->{code} $r->{enh}", '550 5.7.1', 'P4 refused at MAIL');
like($r->{text}, qr/Under review/, 'with the reason');
ok($d->log_wait(qr/event=rule-rejected rule=1 what=mail user="$u->{name}"/), 'P8 the log says by which');
my ($rule) = rules();
is($rule->{action}, 'reject', 'rule list: action');
is($rule->{messages} // $rule->{hits} // -1, 1, 'rule list: messages it met');
like($d->msactl('queue', 'rule', 'list')->{out}, qr/Under review/, 'rule list as text');
my @trial = ('-j', 'test', 'session', '127.0.0.9', $u->{name}, $u->{address},
    'bob@example.net');
$r = $d->msactl(@trial)->{json}[0];
is("$r->{result}: $r->{operator}", 'refused: 550 5.7.1: rule 1 refuses it',
    'test session says so');
is((rules())[0]{messages} // (rules())[0]{hits}, 1, 'and counts for nothing');
is(rule('remove', 1)->{status}, 0, 'rule remove');
is($d->msactl(@trial)->{json}[0]{operator}, undef, 'nothing in the way');
is(rule('remove', 1)->{status}, 5, 'exit 5: there is none');
is($c->submit($u->{address}, 'ann@x.example', text('free'))->{code}, 250, 'accepted again');

is(rule('add', 'reject', 'domain', 'evil.example', 'for', '1h')->{status}, 0, 'by domain');
$r = $c->submit($u->{address}, ['a@EVIL.example', 'b@good.example'], text('two'));
is($r->{rcpts}[0]{code} . $r->{rcpts}[0]{enh}, '5505.7.1', 'that recipient is refused');
is($r->{rcpts}[1]{code}, 250, 'the other is not');
is($r->{code}, 250, 'and gets the message');
is(rule('remove', 'all')->{status}, 0, 'remove all');

is(rule('add', 'reject', 'size', '8k', 'for', '1h')->{status}, 0, 'by size');
is($c->cmd("MAIL FROM:<$u->{address}> SIZE=9000")->{code}, 550, 'as SIZE= says');
is($c->submit($u->{address}, 'b@good.example', text('small'))->{code}, 250, 'a small one');
is($c->submit($u->{address}, 'b@good.example', text('large', 200))->{code}, 550, 'as it is');
is(rule('remove', 'all')->{status}, 0, 'remove all');

# --- errors
$r = rule('add', 'reject', 'age', '1h', 'for', '1h');
isnt($r->{status}, 0, 'an age is no property of mail to come');
isnt(rule('add', 'reject', 'user', 'x', 'for', '1h', 'reason', "b\xc3\xbc")->{status}, 0,
    'a reason of octets that no reply has');
is(scalar(rules()), 0, 'no rules');

# --- all of it
is(rule('add', 'reject', 'all', 'for', '1h', 'reason', 'None today')->{status}, 0, 'rule add reject all');
is($c->submit($u->{address}, 'b@good.example', text('none'))->{code}, 550, 'nothing gets in');
is(rule('remove', 'all')->{status}, 0, 'remove it');

# --- hold: held from the start, after kill -9 too, until released
is(rule('add', 'hold', 'to', '*@held.example', 'for', '1h', 'reason', 'To be seen')->{status}, 0, 'rule add hold');
is(rule('add', 'reject', 'user', 'nobody', 'for', '2h')->{status}, 0, 'another');
$r = $c->submit($u->{address}, ['a@held.example', 'b@free.example'], text('kept'));
is($r->{code}, 250, 'it is accepted') or diag($r->{text});
my $held = $r->{id} // '0';
$r = $d->msactl(@trial[0 .. 5], 'a@held.example')->{json}[0];
like("$r->{result}: $r->{operator}", qr/^accepted: rule \d+ holds it$/,
    'test session says so');
ok($d->log_wait(qr/q=$held .*event=rule-held rule=\d+ .*reason="To be seen"/), 'P8 and held');
sub state_of { my ($id) = @_; my ($q) = @{ $d->msactl('-j', 'queue', 'show', $id)->{json} };
	return $q ? $q->{rcpts}[0]{state} : 'gone' }
is(state_of($held), 'held', 'P8 queue show says so');
my @before = rules();
is(scalar(@before), 2, 'two rules');
$c->close;
$d->kill_all;
$d->start;
is(state_of($held), 'held', 'after kill -9 it is held');
my @after = rules();
is(join(' ', map { "$_->{number} $_->{action}" } @after),
    join(' ', map { "$_->{number} $_->{action}" } @before), 'and the rules are there');
cmp_ok($after[1]{number}, '>', $after[0]{number}, 'in order');
$c = $d->session(0);
is($c->submit($u->{address}, 'c@held.example', text('kept too'))->{code}, 250, 'they hold');
is((rules())[0]{messages} // (rules())[0]{hits} // -1, 1, 'hits begin anew');
is($d->msactl('queue', 'release', $held)->{status}, 0, 'queue release');
ok($d->mails_wait(1, qr/Subject: kept\r?\n/), 'it is delivered');
is(scalar(grep { /Subject: kept too/ } $d->mails), 0, 'the other waits');

# --- it ends by itself
is(rule('add', 'reject', 'user', '*', 'for', '1s')->{status}, 0, 'for a second');
ok($d->log_wait(qr/event=rule-ended rule=\d+ .*its time is over/), 'its end is logged');
is($c->submit($u->{address}, 'b@good.example', text('after'))->{code}, 250, 'over');

# --- reports of our own are not subject to rules
is(rule('add', 'reject', 'from', '<>', 'for', '1h')->{status}, 0, 'reject null senders');
$from = $v->{address};
my $w = $d->session(1);
$r = $w->submit($v->{address}, 'x@down.example', text('waits'));
is($r->{code}, 250, 'to the relay that is down');
my $waits = $r->{id} // '0';
ok($d->log_wait(qr/q=$waits .*event=deferred/), 'it is deferred');

# --- its history
my @e;
ok(wait_for { @e = events($waits); @e >= 2 }, 'queue log of one that waits');
is($e[0]{event}, 'accepted', 'from acceptance on');
like($e[0]{text}, qr/user="$v->{name}" .*nrcpts=1 .*client=127\.0\.0\.1 s=[0-9a-f]+-[0-9a-f]+/, 'by whom, from where');
is($e[1]{event}, 'deferred', 'then deferred');
like($e[1]{text}, qr/to=x\@down\.example .*refused/, 'why');
is($d->msactl('queue', 'hold', $waits, 'reason', 'wait')->{status}, 0, 'queue hold');
is($d->msactl('queue', 'release', $waits)->{status}, 0, 'queue release');
$d->kill_all;
$d->start;
my @again = events($waits);
is(join(',', map { $_->{event} } @again[0 .. 3]), 'accepted,deferred,held,released', 'after kill -9');
is($again[0]{text}, $e[0]{text}, 'and where it came from');
@e = events($held);
is(scalar(@e), 0, 'of those that left nothing is known after a restart');
is($d->msactl('queue', 'log', $held)->{status}, 5, 'exit 5');

# --- its octets
my $cat = $d->msactl('queue', 'cat', $waits);
is($cat->{status}, 0, 'queue cat');
like($cat->{out}, qr/\AReceived: /, 'with our line on top');
like($cat->{out}, qr/\r?\nSubject: waits\r?\n/, 'the message');
is($d->msactl('queue', 'cat', 'ffffffff')->{status}, 5, 'exit 5: no such message');

$hop->start;
is($d->msactl('queue', 'flush', 'all')->{status}, 0, 'flush');
ok(wait_for { @e = events($waits); @e && $e[-1]{event} eq 'delivered' }, 'P8 the history of one that left');
is($e[0]{event}, 'accepted', 'from acceptance on');
my ($t) = grep { $_->{data} =~ /Subject: waits/ } $hop->transactions;
(my $octets = $cat->{out}) =~ s/\r\n/\n/g;
(my $sent = $t ? $t->{data} : '') =~ s/\r\n/\n/g;
is($octets, $sent, 'cat had what the next hop got');

# a large one, in several pages
$hop->stop;
$w->close;
$w = $d->session(1);
$r = $w->submit($v->{address}, 'y@down.example', text('big', 20000));
is($r->{code}, 250, 'a large message') or diag($r->{text});
my $big = $r->{id} // '0';
$cat = $d->msactl('queue', 'cat', $big);
is($cat->{status}, 0, 'queue cat of a large one');
is(($cat->{out} =~ tr/x//) > 1400000 ? 1 : length($cat->{out}), 1, 'all of it');
is(unlink(grep { hex(m{([0-9a-f]+)$} ? $1 : 0) == hex($big) } glob("$d->{spool}/*/*")), 1, 'its file goes');
$cat = $d->msactl('queue', 'cat', $big);
is($cat->{status}, 1, 'it cannot be read');
like($cat->{err} . $cat->{out}, qr/cannot be read/, 'and why');
is($d->msactl('queue', 'fail', $big)->{status}, 0, 'queue fail');
my ($dsn) = $d->log_wait(qr/q=$big .*event=bounced/);
ok($dsn, 'it fails');
ok($d->log =~ /q=$big .*event=bounced .*dsn=[0-9a-f]+/, 'a report is written whatever rules say');
@e = events($big);
is($e[-1]{event}, 'bounced', 'its history ends so') or diag(explain(\@e));
like($e[-1]{text}, qr/dsn=[0-9a-f]+/, 'with the report') if @e;

$d->done;
done_testing;
