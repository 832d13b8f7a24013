# DELIVERBY, MT-PRIORITY and FUTURERELEASE behind the submission: what passes on
# to the next hop, what happens when the time is over, what reports say of it.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Msad::Report;
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(time);

my $d = Msad->new(start => 0);
my $u = $d->account(0);
my $on = { RCPT => sub {
	$_[0] =~ /<bad/ ? '550 5.1.1 no such user' :
	$_[0] =~ /<later/ ? '450 4.2.1 mailbox busy' : undef },
    EOD => sub { $_[0] =~ /tarry/ ? do { select(undef, undef, undef, 4); undef } :
	$_[0] =~ /sorry/ ? do { select(undef, undef, undef, 4); '451 4.3.0 sorry' } : undef } };
my %hop = (
	lacks => $d->nexthop(on => $on),
	has => $d->nexthop(ehlo => ['DELIVERBY 60', 'MT-PRIORITY'], on => $on),
	both => $d->nexthop(ehlo => ['DELIVERBY', 'DSN'], on => $on),
	slow => $d->nexthop(ehlo => ['DELIVERBY'], on => $on),
);
my ($relays, $matches, $table) = ('', '', '');
for my $h (sort keys %hop) {
	$relays .= "relay \"$h\" { host \"127.0.0.1\" port $hop{$h}{port} retry { 1s } }\n";
	$table .= "table \"t-$h\" { \"$u->{name}\" = \"\@$h.example\" }\n";
	$matches .= "match from auth sender <t-$h> relay \"$h\" priority 5\n";
}
$d->{relay} = $relays;
$d->{tables} = "${table}future-release { port any }\n";
$d->{match} = $matches;
$d->write_conf;
$d->start;

my $c = $d->session(0);
my $serial = 0;

sub submit {
	my ($hop, $params, $body, @rcpts) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $r = $c->cmd("MAIL FROM:<me\@$hop.example>$params");
	is($r->{code}, 250, "MAIL$params") or diag($r->{text});
	for my $t (@rcpts) {
		my ($to, $p) = ref $t ? @$t : ($t, '');
		is($c->cmd("RCPT TO:<$to>$p")->{code}, 250, "RCPT $to$p");
	}
	$c->cmd('DATA');
	$r = $c->cmd("From: <me\@$hop.example>\r\nSubject: number " . ++$serial .
	    "\r\n\r\n$body\r\n.");
	is($r->{code}, 250, "accepted for $hop") or diag($r->{text});
	return $r->{text} =~ /as ([0-9a-f]+)/ ? $1 : 'none';
}

sub arrived {
	my ($hop, $to) = @_;
	my $t;
	wait_for { ($t) = grep { grep { $_ eq $to } @{ $_->{rcpts} } }
	    $hop{$hop}->transactions; $t };
	return $t;
}

sub reports {
	my ($hop, $id) = @_;
	return grep { $_->{from} eq '' && $_->{data} =~ /queue id $id / } $hop{$hop}->transactions;
}

sub report {
	my ($hop, $id) = @_;
	my $t;
	wait_for { ($t) = reports($hop, $id); $t };
	ok($t, "a report about $id") or return Msad::Report::parse('');
	return Msad::Report::parse($t->{data});
}

sub entry { my ($id) = @_; my ($m) = grep { $_->{id} eq $id } $d->queue; return $m }

sub finished {
	my ($id) = @_;
	ok(wait_for { !entry($id) }, "$id is done");
}

sub tries { my ($id) = @_; my $m = entry($id); return $m ? $m->{rcpts}[0]{tries} : 0 }

my $date = qr/^\w{3}, \d+ \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}$/;

subtest 'what goes on to the next hop' => sub {
	my $id = submit('has', ' BY=500;R MT-PRIORITY=-3', 'x', 'one@x.example');
	my $t = arrived('has', 'one@x.example') or return fail('arrived');
	like($t->{mail}, qr/ BY=(?:500|49\d);R MT-PRIORITY=-3$/,
	    'R2852-4.1.4-a the seconds left, R6710-4.2-a the priority');
	finished($id);
	is(scalar(reports('has', $id)), 0, 'R2852-4.1.4-a it is theirs now: no report');
	$id = submit('lacks', ' BY=500;N MT-PRIORITY=2', 'x', 'two@x.example',
	    ['three@x.example', ' NOTIFY=NEVER'], ['four@x.example', ' NOTIFY=FAILURE']);
	$t = arrived('lacks', 'two@x.example') or return fail('arrived');
	unlike($t->{mail}, qr/BY|PRIORITY/, 'R2852-4.1.4-a, R6710-4.2-a nothing of it to others');
	my $m = report('lacks', $id);
	is(join(' ', sort map { "$_->{'final-recipient'} $_->{action}" } @{ $m->{rcpts} }),
	    'rfc822; four@x.example relayed rfc822; two@x.example relayed',
	    'R2852-4.1.4-a mode N to a next hop without it: DSN(relayed), unless NEVER');
	like($m->{per}{'deliver-by-date'}, $date, 'R2852-4.1.4-a Deliver-By-Date');
	like($m->{text}, qr/does not heed the time/, 'and it says so in words');
	finished($id);
	is(scalar(reports('lacks', $id)), 1, 'R3461-5.2.8-a one report');
	my ($dsn) = reports('lacks', $id);
	unlike($dsn->{mail}, qr/BY|PRIORITY/, 'R6710-4.2-a the report too');
};

subtest 'a trace' => sub {
	my $id = submit('both', ' BY=500;RT', 'x', 'one@x.example', ['two@x.example', ' NOTIFY=NEVER']);
	like(arrived('both', 'one@x.example')->{mail}, qr/ BY=\d+;RT$/, 'R2852-4.1.4-a T goes on');
	my $m = report('both', $id);
	is(join(' ', map { "$_->{'final-recipient'} $_->{action}" } @{ $m->{rcpts} }),
	    'rfc822; one@x.example relayed', 'R2852-4.1.4-a T: DSN(relayed) on relay, unless NEVER');
	unlike($m->{text}, qr/does not heed/, 'the next hop heeds the time');
	finished($id);
	is(scalar(reports('both', $id)), 1, 'one report');
};

subtest 'a next hop that cannot promise it' => sub {
	my $id = submit('lacks', ' BY=500;R', 'x', 'promise@x.example', ['none@x.example', ' NOTIFY=NEVER']);
	my $m = report('lacks', $id);
	is(scalar @{ $m->{rcpts} }, 1, 'R2852-4.1.4.1-a NOTIFY=NEVER is told nothing');
	is($m->{rcpts}[0]{action}, 'failed', 'R2852-4.1.4.1-a mode R, no DELIVERBY: DSN(failed)');
	is($m->{rcpts}[0]{status}, '5.3.3', 'R2852-4.1.4.1-a status');
	like($m->{text}, qr/in time or not at all/, 'and it says so in words');
	finished($id);
	is(scalar(grep { "@{ $_->{rcpts} }" =~ /promise|none/ } $hop{lacks}->transactions), 0,
	    'R2852-4.1.4.1-a it was never relayed');
	$id = submit('has', ' BY=50;R', 'x', 'short@x.example');
	$m = report('has', $id);
	is("$m->{rcpts}[0]{action} $m->{rcpts}[0]{status}", 'failed 5.4.7',
	    'R2852-4.1.4.1-a its minimum exceeds the time left');
	ok(!(grep { "@{ $_->{rcpts} }" =~ /short/ } $hop{has}->transactions), 'never relayed');
};

subtest 'the time passes, mode R' => sub {
	my $begin = time;
	my $id = submit('slow', ' BY=3;R ENVID=e1', 'x', 'later@x.example',
	    ['later2@x.example', ' NOTIFY=FAILURE'], ['later3@x.example', ' NOTIFY=NEVER'],
	    ['later4@x.example', ' NOTIFY=DELAY,SUCCESS'], 'fine@x.example');
	my $m = report('slow', $id);
	cmp_ok(time - $begin, '>', 2, 'not before its time');
	is(join(' ', sort map { "$_->{'final-recipient'} $_->{action} $_->{status}" } @{ $m->{rcpts} }),
	    'rfc822; later2@x.example failed 5.4.7 rfc822; later@x.example failed 5.4.7',
	    'R2852-4.1.3-a DSN(failed) 5.4.7, subject to NOTIFY');
	like($m->{per}{'deliver-by-date'}, $date, 'R2852-4.1.4-a Deliver-By-Date');
	like($m->{rcpts}[0]{'diagnostic-code'}, qr/450 4\.2\.1 mailbox busy/, 'the last answer');
	like($m->{text}, qr/time by which you wanted it delivered has passed/, 'in words');
	finished($id);
	is(scalar(reports('slow', $id)), 1, 'R2852-4.1.3-a attempts stop, one report');
};

subtest 'the time passes, mode N' => sub {
	my $id = submit('slow', ' BY=2;N', 'x', 'later@x.example', ['later2@x.example', ' NOTIFY=NEVER'],
	    ['later3@x.example', ' NOTIFY=DELAY'], ['later4@x.example', ' NOTIFY=FAILURE']);
	my $m = report('slow', $id);
	is(join(' ', sort map { "$_->{'final-recipient'} $_->{action} $_->{status}" } @{ $m->{rcpts} }),
	    'rfc822; later3@x.example delayed 4.4.7 rfc822; later@x.example delayed 4.4.7',
	    'R2852-4.1.3-a DSN(delayed) 4.4.7, subject to NOTIFY');
	like($m->{rcpts}[0]{'will-retry-until'}, $date, 'R3464-2.3.9-a Will-Retry-Until');
	ok($d->log_wait(qr/q=$id event=deliver-by-passed .*mode=N/), 'and a line in the log');
	my $n = tries($id);
	ok((wait_for { tries($id) >= $n + 2 }), 'R2852-4.1.3-a attempts go on');
	$d->stop;
	$d->start;
	$c = $d->session(0);
	ok((wait_for { tries($id) >= $n + 4 }), 'after a restart too');
	is(scalar(reports('slow', $id)), 1, 'R2852-4.1.3-a told once, over a restart');
	$d->msactl('queue', 'drop', $id);
};

subtest 'late when it came' => sub {
	my $id = submit('slow', ' BY=-5;N', 'x', 'later@x.example', 'fine@x.example');
	my $t;
	wait_for { ($t) = grep { $_->{mail} =~ / BY=-[5-9];N$/ } $hop{slow}->transactions; $t };
	ok($t, 'R2852-4-a mode N with n < 0 goes on as it is');
	my $n = tries($id);
	ok((wait_for { tries($id) >= $n + 2 }), 'and is tried on');
	is(scalar(reports('slow', $id)), 0, 'nobody here was late with it: no report');
	$d->msactl('queue', 'drop', $id);
};

subtest 'a restart before its time' => sub {
	my $id = submit('slow', ' BY=4;R', 'x', 'later@x.example');
	$d->stop;
	$d->start;
	$c = $d->session(0);
	my $m = report('slow', $id);
	is($m->{rcpts}[0]{status}, '5.4.7', 'R2852-4.1.3-a it is watched after a restart');
	finished($id);
};

subtest 'in flight when it passes' => sub {
	my $id = submit('slow', ' BY=2;R', 'tarry', 'fine@x.example');
	my $other = submit('slow', ' BY=2;R', 'sorry', 'fine2@x.example');
	ok($d->log_wait(qr/q=$id event=delivered/), 'the result decides: delivered');
	finished($id);
	is(scalar(reports('slow', $id)), 0, 'and no report');
	my $m = report('slow', $other);
	is($m->{rcpts}[0]{status}, '5.4.7', 'the result decides: not delivered, so it failed');
	finished($other);
	is(scalar(grep { $_->{rcpts}[0] eq 'fine2@x.example' } $hop{slow}->transactions), 1,
	    'it is not tried again');
};

subtest 'held until its time is over' => sub {
	my $id = submit('slow', ' HOLDFOR=1 ENVID=e2', 'x', 'bad@x.example');
	my $m = report('slow', $id);
	is($m->{per}{'future-release-request'}, 'for;1', 'R4865-5.1.2-a as it was asked');
	like($m->{per}{'arrival-date'}, $date, 'R4865-5.1.2-a Arrival-Date');
	my $until = strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + 2));
	$id = submit('slow', " HOLDUNTIL=$until", 'x', 'bad@x.example');
	$m = report('slow', $id);
	is($m->{per}{'future-release-request'}, "until;$until", 'R4865-5.1.2-a an absolute time');
	$id = submit('slow', '', 'x', 'bad@x.example');
	$m = report('slow', $id);
	is($m->{per}{'future-release-request'}, undef, 'R4865-5.1.2-a only where it was asked');
	is($m->{per}{'deliver-by-date'}, undef, 'R2852-4.1.4-a likewise');
};

subtest 'a report is as urgent' => sub {
	for (['-7', ' MT-PRIORITY=-7'], ['4', ' MT-PRIORITY=4'], ['0', '']) {
		my ($n, $params) = @$_;
		my $id = submit('has', $params, 'x', 'bad@x.example');
		report('has', $id);
		my ($t) = reports('has', $id) or next;
		$n eq '0' ? unlike($t->{mail}, qr/PRIORITY/, 'R6710-4.1-a no priority, none inherited') :
		    like($t->{mail}, qr/ MT-PRIORITY=$n$/, 'R6710-4.1-a DSNs inherit it');
	}
};

$c->quit;
$d->done;
done_testing;
