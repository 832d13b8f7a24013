#!/usr/bin/perl
# A process is gone or does not answer: a temporary code, the others' sessions
# go on, service again within 2 s, nothing acknowledged lost (P6, P7; issue A,
# 5 and 7). Each program dies fewer than five times, the limit of a minute.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;
use Time::HiRes qw(time);

my $d = Msad->new(start => 0);
my $u = $d->account(0);
my $hop = $d->nexthop(on => { EOD => sub {
	# the next hop is slow for as long as the file is there
	wait_for { !-e "$d->{dir}/slow" } 15;
	return undef;
} });
$d->{relay} = "relay \"hop\" { host 127.0.0.1 port $hop->{port} retry { 1s } }\n";
$d->{match} = "match from auth sender own relay \"hop\"\n";
$d->write_conf;
$d->start;

sub login { my ($c) = @_; return $c->auth_plain($u->{name}, $u->{password}) }
sub code { my ($r) = @_; return "$r->{code} $r->{enh}" }
my $serial = 0;
sub mail {
	my ($c) = @_;
	return $c->submit($u->{address}, 'r@x.example', "From: <$u->{address}>\r\n" .
	    'Subject: number ' . ++$serial . "\r\n\r\nx\r\n");
}
sub times_received {
	my ($n) = @_;
	return scalar grep { $_->{accepted} && $_->{data} =~ /^Subject: number $n\r$/m }
	    $hop->transactions;
}

# A login succeeds within two seconds; how many seconds it took.
sub back_within_2s {
	my ($name) = @_;
	my $from = time;
	my $took;
	wait_for {
		my $c = $d->client or return 0;
		my $ok = login($c)->{code} == 235;
		$took = time - $from;
		$c->close;
		return $ok;
	};
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	cmp_ok($took, '<', 2.5, sprintf('P7 %s: service again within 2 s (%.1f)', $name, $took));
}

subtest 'the authenticator' => sub {
	my $in = $d->session(0);
	my $c = $d->client;
	my $auth = $d->child_named('msad-auth')->{pid};
	# stopped, so that the attempt is under way when it dies
	kill('STOP', $auth);
	$c->send('AUTH PLAIN ' . MIME::Base64::encode_base64("\0$u->{name}\0$u->{password}", '') . "\r\n");
	ok(!defined $c->line(0.5), 'no answer yet');
	is(code(mail($in)), '250 2.0.0', 'P6 who has logged in is served meanwhile');
	kill('KILL', $auth);
	is(code($c->reply), '454 4.7.0', 'P7 auth dies: 454');
	back_within_2s('auth');
	is(login($c)->{code}, 235, 'the session that got 454 may log in');
	is(code(mail($in)), '250 2.0.0', 'P6 and who was logged in still is');
	$_->close for $in, $c;
};

subtest 'PAM' => sub {
	my @c = map { $d->client } 1 .. 2;
	my @pam = map { $_->{pid} } $d->child_named('msad-pam');
	kill('STOP', @pam);
	$_->send('AUTH PLAIN ' . MIME::Base64::encode_base64("\0$u->{name}\0$u->{password}", '') . "\r\n")
	    for @c;
	ok(!defined $c[0]->line(0.5), 'no answer yet');
	kill('KILL', @pam);
	for (@c) {
		my $r = $_->reply;
		ok(code($r) eq '454 4.7.0' || $r->{code} == 235,
		    "P7 every worker dies: 454, or another does it ($r->{code})");
	}
	back_within_2s('pam');
	$_->close for @c;
};

subtest 'a front-end' => sub {
	my @s = map { $d->session(0) } 1 .. 8;
	my ($frontend) = $d->child_named('msad-frontend');
	my $dead = $frontend->{pid};
	# halves of messages, so that something is under way in both
	for (@s) {
		$_->cmd("MAIL FROM:<$u->{address}>");
		$_->cmd('RCPT TO:<r@x.example>');
		$_->cmd('DATA');
		$_->send("From: <$u->{address}>\r\nSubject: number " . ++$serial . "\r\n\r\n");
	}
	kill('KILL', $dead);
	my (@alive, @gone);
	my $n = $serial - 8;
	for (@s) {
		$n++;
		$_->send("x\r\n.\r\n");
		my $r = $_->reply;
		push @{ $r->{code} == 250 ? \@alive : \@gone }, $n;
		ok($r->{code} == 250 || $_->{eof}, 'P6 it goes on, or is closed');
	}
	cmp_ok(scalar @alive, '>', 0, 'sessions of the other worker got their 250: ' . @alive);
	cmp_ok(scalar @gone, '>', 0, 'those of the killed one are closed: ' . @gone);
	ok(wait_for { @alive == grep { times_received($_) } @alive },
	    'P1 all of theirs arrives');
	is(scalar(grep { times_received($_) } @gone), 0, 'and no half of the others');
	$_->close for @s;
	ok(wait_for { (() = $d->child_named('msad-frontend')) == 2 }, 'two workers again');
	back_within_2s('frontend');
	my $st = $d->msactl('-j', 'show', 'stats')->{json}[0];
	ok(wait_for { ($d->msactl('-j', 'show', 'stats')->{json}[0]{'queue.grants'} // 0) == 0 },
	    'P6 no grant of the dead one stays') if exists $st->{'queue.grants'};
};

subtest 'the relay in the midst of a message' => sub {
	my $c = $d->session(0);
	spew("$d->{dir}/slow", '');
	is(mail($c)->{code}, 250, 'accepted');
	my $n = $serial;
	my $at_eod = wait_for { my ($q) = $d->queue;
	    slurp("$hop->{record}.commands") =~ /DATA\n\z/ };
	ok($at_eod, 'the next hop has it and does not answer');
	# the one with network, not the one of the Maildir
	my $relay = (grep { (readlink("/proc/$_->{pid}/root") // '') !~ /box$/ }
	    $d->child_named('msad-relay'))[0];
	kill('KILL', $relay->{pid});
	unlink("$d->{dir}/slow");
	ok(wait_for { !$d->queue }, 'P1 another relay takes it over');
	cmp_ok(times_received($n), '>=', 1, 'and it arrives');
	is(mail($c)->{code}, 250, 'the session did not notice');
	ok(wait_for { times_received($serial) }, 'and the next one arrives');
	$c->close;
};

subtest 'resolver and control' => sub {
	my $c = $d->session(0);
	kill('KILL', $d->child_named('msad-resolver')->{pid});
	is(mail($c)->{code}, 250, 'P7 resolver killed: 250');
	ok(wait_for { times_received($serial) }, 'and delivered');
	kill('KILL', $d->child_named('msad-control')->{pid});
	ok(wait_for { $d->msactl('show', 'status')->{status} == 0 }, 'control killed: msactl works again');
	is(mail($c)->{code}, 250, 'and mail went on');
	ok(wait_for { times_received($serial) }, 'and is delivered');
	$c->close;
};

subtest 'a reload takes the relay away' => sub {
	my $c = $d->session(0);
	$hop->stop;
	my $r = mail($c);
	is($r->{code}, 250, 'accepted while the next hop is down');
	$d->write_conf($d->conf_text =~ s/^relay "hop".*$//mr =~
	    s/relay "hop"$/relay "box"/mr);
	is($d->msactl('reload')->{status}, 0, 'reload without the relay');
	$d->msactl('queue', 'flush', 'all');
	is($d->queue, 1, 'P4 the message stays');
	like($d->log, qr/event=no-relay relay="hop"/, 'P8 and the log says why');
	is(mail($c)->{code}, 250, 'the next one goes the new way');
	ok($d->mails_wait(1, qr/^Subject: number $serial\r?$/m), 'and arrives there');
	$d->kill_all;
	$d->start;
	is($d->queue, 1, 'P1 it stays over kill -9');
	$hop->start;
	$d->write_conf;
	is($d->msactl('reload')->{status}, 0, 'the relay is back');
	ok(wait_for { $d->msactl('queue', 'flush', 'all'); !$d->queue }, 'it leaves');
	is(times_received($serial - 1), 1, 'P1 and arrives, once');
	$c->close;
};

unlike($d->log, qr/event=child-throttled/, 'no program met the limit of a minute');
$d->done;
done_testing;
