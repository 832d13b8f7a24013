# What operators do to messages by selection: it holds, at once and after a kill
# -9 that follows msactl's answer; it touches only what was selected; the log
# says who did it.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;

my $d = Msad->new(start => 0);
my $u = $d->account(0);
my $hop = $d->nexthop(down => 1);
# This one answers when it is told to, with what it is told.
my $gate = "$d->{dir}/gate";
my $slow = $d->nexthop(on => { EOD => sub {
	wait_for { -s $gate } 60;
	return slurp($gate) } });
$d->{relay} = "relay \"down\" { host 127.0.0.1 port $hop->{port} retry { 1h } }\n" .
    "relay \"slow\" { host 127.0.0.1 port $slow->{port} retry { 1h } }\n";
$d->{match} = "match from auth sender own relay \"down\"\n";
$d->{extra} = "future-release { port any }\n";
$d->write_conf;
$d->start;

my $c = $d->session(0);
my %id;
sub put {
	my ($name, $to, %o) = @_;
	my $r = $c->submit($u->{address}, $to,
	    "From: <$u->{address}>\r\nSubject: $name\r\n\r\nx\r\n", %o);
	is($r->{code}, 250, "$name is accepted") or diag($r->{text});
	return $id{$name} = $r->{id};
}
sub steer { return $d->msactl('queue', @_) }
# The only message of that name: its first recipient.
sub rcpt {
	my ($name) = @_;
	my ($m) = @{ $d->msactl('-j', 'queue', 'show', $id{$name})->{json} };
	return ref $m && $m->{rcpts} ? $m->{rcpts}[0] : { state => 'gone' };
}
sub restart {
	$d->kill_all;
	$d->start;
}
sub names {	# of the messages of a selection
	my %of = reverse %id;
	return join(' ', sort map { $of{$_->{id} // ''} // '?' }
	    @{ $d->msactl('-j', 'queue', 'list', @_)->{json} });
}

put("a$_", "x\@a$_.example") for (1 .. 3);
put('b1', ['x@B.example', 'y@a1.example']);
put('b2', 'y@b.example');
ok(wait_for { 5 == grep { ($_->{rcpts}[0]{last} // '') =~ /refused/ } $d->queue },
    'all wait for a relay that is down');
# One of them has a time of its own, an hour from now.
$d->msactl('queue', 'flush', $id{b1});
ok(wait_for { rcpt('b1')->{tries} }, 'this one was tried');

# --- selecting
is(names('domain', 'b.EXAMPLE'), 'b1 b2', 'by domain');
is(names('domain', 'a1.example'), 'a1 b1', 'of any recipient');
is(names('to', 'y@*'), 'b1 b2', 'by a pattern');
is(names('user', $u->{name}, 'domain', 'a2.example', 'domain', 'a3.example'), 'a2 a3',
    'one of the values of a key, all keys');
is(names('from', uc $u->{address}, 'to', 'x@a1.example'), 'a1', 'by sender, in any case');
is(names('state', 'held'), '', 'none is held');
is(names('error', 'REFUSED', 'domain', 'a1.example'), 'a1 b1', 'by the reason they wait');
is(names('id', $id{a1}, 'id', $id{b2}), 'a1 b2', 'by id');
is(names('size', '<10k', 'age', '<1h', 'relay', 'down', 'state', 'waiting'), 'a1 a2 a3 b1 b2',
    'by size, age, relay, state');

# --- hold
is(steer('hold', 'domain', 'b.example')->{status}, 0, 'queue hold');
restart();
is(names('state', 'held'), 'b1 b2', 'held after kill -9');
is(rcpt('b1')->{state}, 'held', 'shown so');
is(rcpt('a1')->{state}, 'waiting', 'the others are not');
ok($d->log_wait(qr/q=$id{b1} event=held uid=0 /), 'the log says who did it');
ok($d->log_wait(qr/event=steered uid=0 verb=hold messages=2 selection="domain b.example"/),
    'and what in all');

# --- reroute of what is held: it stays held
is(steer('reroute', 'id', $id{b1}, 'id', $id{a3}, 'to', 'nowhere')->{status}, 1, 'no such relay');
is(steer('reroute', 'id', $id{b1}, 'to', 'box')->{status}, 0, 'queue reroute');
restart();
is(names('relay', 'box'), 'b1', 'rerouted after kill -9');
is(names('relay', 'down'), 'a1 a2 a3 b2', 'the others are not');
is(rcpt('b1')->{state}, 'held', 'and still held');
is(scalar($d->mails), 0, 'nothing is delivered');

# --- release forgets no reroute
is(steer('release', 'state', 'held')->{status}, 0, 'queue release');
ok($d->mails_wait(1, qr/Subject: b1/), 'what was rerouted and held goes the new way');
is(rcpt('b2')->{state}, 'waiting', 'what was held waits');
restart();
is(names('state', 'held'), '', 'released after kill -9');
is(names('all'), 'a1 a2 a3 b2', 'the rest is there');

# --- flush: one domain
ok(wait_for { 4 == grep { ($_->{rcpts}[0]{last} // '') =~ /refused/ } $d->queue }, 'tried after the start');
my $tries = rcpt('a2')->{tries};
my $before = rcpt('a1')->{tries};
is(steer('flush', 'domain', 'a2.example')->{status}, 0, 'queue flush');
ok(wait_for { rcpt('a2')->{tries} > $tries }, 'it is tried');
is(rcpt('a1')->{tries}, $before, 'nothing else is');

# --- give up
$d->{relay} = '';
is(steer('fail', 'id', $id{a1}, 'reason', 'The domain is no more')->{status}, 0, 'queue fail');
ok($d->log_wait(qr/q=$id{a1} event=failed-by uid=0 .*reason="The domain is no more"/), 'logged, with the reason');
ok($d->log_wait(qr/q=$id{a1} event=bounced .*status=5\.3\.0 reply="The domain is no more"/), 'it bounced');
is(steer('expire', 'id', $id{a2})->{status}, 0, 'queue expire');
ok($d->log_wait(qr/q=$id{a2} event=bounced .*status=4\.4\.7/), 'as if its lifetime were over');
ok(wait_for { names('from', '<>') =~ /\? \?/ }, 'their reports are in the queue');
is(steer('reroute', 'from', '<>', 'to', 'box')->{status}, 0, 'reports can be steered as well');
ok($d->mails_wait(1, qr/The domain is no more/), 'the sender is told the reason');

# --- drop
is(steer('drop', 'id', $id{a3}, 'id', $id{b2})->{status}, 0, 'queue drop');
restart();
is(names('all'), '', 'gone after kill -9');
is(scalar(grep { /Subject: a3/ } $d->mails), 0, 'nobody is told');

# --- what waits for a time, and what is held, can be given up, too
$c = $d->session(0);
put('f1', 'x@f.example', mail => ' HOLDFOR=86400');
put('f2', 'x@f.example', mail => ' HOLDFOR=86400');
put('f3', 'x@f.example', mail => ' HOLDFOR=86400');
is(names('state', 'future'), 'f1 f2 f3', 'P8 future ones are listed');
is(steer('flush', 'state', 'future')->{status}, 5, 'a flush does not touch them');
is(steer('hold', 'id', $id{f2})->{status}, 0, 'one is held as well');
is(names('state', 'held'), 'f2', 'it is held');
is(steer('fail', 'id', $id{f1}, 'id', $id{f2})->{status}, 0, 'and both given up');
ok($d->log_wait(qr/q=$id{$_} event=bounced /), "$_ bounced") for (qw(f1 f2));
ok(wait_for { names('to', '*@f.example') eq 'f3' }, 'they are gone');
is(steer('hold', 'id', $id{f3})->{status}, 0, 'hold');
restart();
is(steer('release', 'id', $id{f3})->{status}, 0, 'release');
is(names('state', 'future'), 'f3', 'it goes on as it was, in its time');
is(steer('reroute', 'id', $id{f3}, 'to', 'box')->{status}, 0, 'to another relay');
is(scalar(grep { /Subject: f3/ } $d->mails), 0, 'and not before its time');
is(steer('release', 'id', $id{f3})->{status}, 0, 'which another release takes away');
ok($d->mails_wait(1, qr/Subject: f3/), 'it is delivered');
is(steer('drop', 'all')->{status}, 0, 'drop all');

# --- rerouted while it is in flight: that ends as it ends
$c = $d->session(0);
sub in_flight {
	my ($name) = @_;
	unlink($gate);
	put($name, 'x@g.example');
	is(steer('reroute', 'id', $id{$name}, 'to', 'slow')->{status}, 0, "$name goes by slow");
	ok(wait_for { names('state', 'inflight') eq $name }, 'it is in flight');
	is(steer('fail', 'id', $id{$name})->{status}, 5, 'so it cannot be given up');
	is(steer('reroute', 'id', $id{$name}, 'to', 'box')->{status}, 0, 'and is rerouted');
	is(names('state', 'inflight', 'relay', 'box'), $name, 'it stays in flight');
}
in_flight('g1');
spew($gate, '250 2.0.0 Ok');
ok($d->log_wait(qr/q=$id{g1} event=delivered /), 'delivered where it was');
ok(wait_for { names('all') eq '' }, 'and gone');
is(scalar(grep { /Subject: g1/ } $d->mails), 0, 'once');
in_flight('g2');
spew($gate, '451 4.3.0 Later');
ok($d->log_wait(qr/q=$id{g2} event=deferred /), 'refused for now');
like(steer('flush', 'id', $id{g2})->{status}, qr/^[05]$/, 'tried again, if it is not yet');
ok($d->mails_wait(1, qr/Subject: g2/), 'by the other relay');

# --- a report goes by the relay its message was sent to
put('r1', 'x@r.example');
is(steer('hold', 'id', $id{r1})->{status}, 0, 'hold');
is(steer('reroute', 'id', $id{r1}, 'to', 'box')->{status}, 0, 'reroute');
is(steer('fail', 'id', $id{r1}, 'reason', 'Not that one')->{status}, 0, 'fail');
ok($d->mails_wait(1, qr/Not that one/), 'its report is there');
is(scalar(grep { /Subject: r1/ && !/Not that one/ } $d->mails), 0, 'it is not');

# --- sums
$c = $d->session(0);
put('s1', 'x@one.example');
put('s2', ['x@one.example', 'x@two.example']);
my @sum = @{ $d->msactl('-j', 'queue', 'summary', 'domain')->{json} };
is($sum[0]{messages}, 2, 'queue summary: messages') or diag(explain(\@sum));
is($sum[0]{recipients}, 3, 'recipients');
my ($one) = grep { ($_->{name} // '') eq 'one.example' } @sum;
is($one && $one->{messages}, 2, 'of a domain');
like($d->msactl('queue', 'summary')->{out}, qr/down/, 'of relays');
is($d->msactl('queue', 'age')->{status}, 0, 'queue age');
like($d->msactl('queue', 'age')->{out}, qr/down\s.*2/s, 'two young ones');
$d->done;
done_testing;
