# MT-PRIORITY (RFC 6710) and DELIVERBY (RFC 2852) at submission: what is offered
# and taken, who may ask for how much, floors and sizes, the Received field.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;
use Time::HiRes qw(time);

my $d = Msad->new(start => 0);
my $port = free_port();
my @users = qw(ann bob);
my $hash = `openssl passwd -6 secret`;
chomp $hash;
spew("$d->{dir}/passwd", join('', map { "$_:$hash\n" } @users), 0600);
$d->{extra} = "auth \"file\" { passwd file:\"$d->{dir}/passwd\" mech plain realm \"example.org\" }\n" .
    "listen on 127.0.0.1 port $port tls pki \"main\" auth \"file\"\n" .
    "table \"urgent\" { \"ann\" = \"ann\@urgent.example, ann\@most.example\" }\n" .
    "table \"most\" { \"ann\" = \"ann\@most.example\" }\n";
$d->{match} = "match from auth sender own relay \"box\"\n" .
    "match from auth sender <most> relay \"box\" priority 9\n" .
    "match from auth sender <urgent> relay \"box\" priority 2\n";

sub configure {
	$d->{tables} = "limit login off\n" . join('', map { "$_\n" } @_);
	$d->write_conf;
}

sub reload {
	configure(@_);
	my $n = () = $d->log =~ /event=reloaded/g;
	$d->reload;
	ok(wait_for { $n < (() = $d->log =~ /event=reloaded/g) }, 'reload');
}

sub session {
	my ($user) = @_;
	my $c = Msad::Smtp->connect($port, 20) or die 'no connection';
	$c->start_tls(SSL_ca_file => "$d->{dir}/ca.pem") or die 'no TLS';
	$c->greeting;
	$c->{hello} = $c->cmd('EHLO client.example')->{text};
	my $r = $c->auth_plain($user, 'secret');
	$r->{code} == 235 or die "login: $r->{text}";
	return $c;
}

sub says {
	my ($r, $code, $enh, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{code} == $code && $r->{enh} eq $enh, $name)
	    or diag("wanted $code $enh, got: $r->{text}");
}

my $serial = 0;

# The rest of a message after MAIL; the last reply.
sub rest {
	my ($c, $from, $body) = @_;
	$serial++;
	$c->cmd('RCPT TO:<rcpt@x.example>');
	my $r = $c->cmd('DATA');
	return $r if $r->{code} != 354;
	$c->send("From: <$from>\r\nSubject: number $serial.\r\n\r\n" . ($body // "x\r\n") . ".\r\n");
	$r = $c->reply;
	$r->{id} = $1 if $r->{text} =~ /queued as ([0-9a-f]+)/;
	return $r;
}

# The Received field of the last message, unfolded.
sub received {
	my ($m) = $d->mails_wait(1, qr/number $serial\./);
	my ($f) = ($m // '') =~ /^(Received: .*?\n)(?!\s)/ms;
	return ($f // '') =~ s/\r?\n\s+/ /gr;
}

configure();
$d->start;

subtest 'R6710-4.1-a syntax' => sub {
	my $c = session('ann');
	like($c->{hello}, qr/^250-MT-PRIORITY\r$/m, 'offered, without a policy');
	for my $p (qw(+1 10 -0 01 -10 --1 1.0 high), '', '1 MT-PRIORITY=1') {
		$c = session('ann') if $p eq '--1';
		says($c->cmd("MAIL FROM:<ann\@example.org> MT-PRIORITY=$p"), 501, '5.5.2',
		    "R6710-4.1-a MT-PRIORITY=$p");
	}
	$c = session('ann');
	says($c->cmd('MAIL FROM:<ann@example.org> MT-PRIORITY'), 501, '5.5.2', 'R6710-4.1-a no value');
	for my $p (-9 .. 9) {
		my $r = $c->cmd("MAIL FROM:<ann\@most.example> mt-priority=$p");
		says($r, 250, '2.1.0', "R6710-4.1-a $p with the right to it");
		$c->cmd('RSET');
	}
	$c->quit;
};

subtest 'R6710-4.1-b who may' => sub {
	my $c = session('ann');
	for ([ 'ann@example.org', 1, 0 ], [ 'ann@example.org', 9, 0 ], [ 'ann@urgent.example', 5, 2 ],
	    [ 'ann@urgent.example', 2, undef ], [ 'ann@example.org', 0, undef ],
	    [ 'ann@example.org', -1, undef ], [ 'ann@example.org', -9, undef ], [ '', 3, 0 ]) {
		my ($from, $asked, $given) = @$_;
		my $r = $c->cmd("MAIL FROM:<$from> MT-PRIORITY=$asked");
		my $name = "R6710-4.1-b <$from> asks for $asked";
		if (defined $given) {
			says($r, 250, '2.3.6', $name);
			like($r->{text}, qr/^250 2\.3\.6 $given \S/, "and has $given");
		} else {
			says($r, 250, '2.1.0', $name);
		}
		my $p = $given // $asked;
		says(rest($c, $from || 'ann@example.org'), 250, '2.0.0', 'the message');
		like(received(), qr/ PRIORITY $p; /, "R6710-4.1-a Received has PRIORITY $p");
	}
	ok($d->log_wait(qr/event=priority user="ann" asked=5 priority=2/), 'it is logged');
	ok($d->log_wait(qr/event=accepted .*priority=-9$/m), 'as the priority is');
	says($c->cmd('MAIL FROM:<ann@example.org>'), 250, '2.1.0', 'none is asked for');
	says(rest($c, 'ann@example.org'), 250, '2.0.0', 'the message');
	unlike(received(), qr/PRIORITY/, 'and Received has none');
};

subtest 'R6710-4.2-a floor' => sub {
	reload('mt-priority { profile "MIXER", floor -4 }');
	# msad has told the front-end, which may not have looked yet
	my $c;
	wait_for { $c = session('ann'); $c->{hello} =~ /^250-MT-PRIORITY MIXER\r$/m };
	like($c->{hello}, qr/^250-MT-PRIORITY MIXER\r$/m, 'the policy is named');
	says($c->cmd('MAIL FROM:<ann@example.org> MT-PRIORITY=-4'), 250, '2.1.0', 'on the floor');
	$c->cmd('RSET');
	my $r = $c->cmd('MAIL FROM:<ann@example.org> MT-PRIORITY=-5');
	says($r, 550, '5.7.15', 'R6710-4.2-a below the floor');
	like($r->{text}, qr/-4/, 'which is told');
	reload('mt-priority { floor 3, below defer }');
	says($c->cmd('MAIL FROM:<ann@example.org>'), 450, '4.7.15',
	    'R6710-4.2-a below the floor for now, in a session that goes on');
	says($c->cmd('MAIL FROM:<ann@urgent.example> MT-PRIORITY=5'), 450, '4.7.15',
	    'R6710-4.2-a what counts is what was granted');
	says($c->cmd('MAIL FROM:<ann@most.example> MT-PRIORITY=3'), 250, '2.1.0', 'urgent enough');
	$c->quit;
};

subtest 'R6710-4.2-a size' => sub {
	reload('mt-priority { size 10K above 3 }');
	my $c = session('ann');
	my $m = 'ann@most.example';
	says($c->cmd("MAIL FROM:<$m> MT-PRIORITY=4 SIZE=10241"), 552, '5.7.16',
	    'R6710-4.2-a too big for its priority, by its SIZE');
	says($c->cmd("MAIL FROM:<$m> MT-PRIORITY=3 SIZE=10241"), 250, '2.1.0', 'less urgent');
	$c->cmd('RSET');
	says($c->cmd("MAIL FROM:<ann\@example.org> MT-PRIORITY=4 SIZE=10241"), 250, '2.3.6',
	    'made less urgent');
	$c->cmd('RSET');
	says($c->cmd("MAIL FROM:<$m> MT-PRIORITY=4 SIZE=100"), 250, '2.1.0', 'SIZE is small');
	my $r = rest($c, $m, "0123456789\r\n" x 1000);
	says($r, 552, '5.7.16', 'R6710-4.2-a too big for its priority, by its octets');
	like($r->{text}, qr/10240 octets/, 'with how big it may be');
	says($c->cmd("MAIL FROM:<$m> MT-PRIORITY=4"), 250, '2.1.0', 'another one');
	says(rest($c, $m, "0123456789\r\n" x 500), 250, '2.0.0', 'is small enough');
};

subtest 'R2852-4-a' => sub {
	reload();
	my $c;	# as above
	wait_for { $c = session('ann'); $c->{hello} =~ /^250-DELIVERBY\r$/m };
	like($c->{hello}, qr/^250-DELIVERBY\r$/m, 'R2852-4-a offered, without a minimum');
	for my $by (qw(0;R -1;R 60 60; ;R 60;X 60;TR 60;RR 60;RTT 1234567890;N), '60;R BY=60;R') {
		$c = session('ann') if $by eq '60;TR';
		says($c->cmd("MAIL FROM:<ann\@example.org> BY=$by"), 501, '5.5.4', "R2852-4-a BY=$by");
	}
	$c = session('ann');
	for my $by (qw(1;R +60;R 60;r 60;RT 60;N 60;NT 0;N -1;N -999999999;nt 999999999;R)) {
		says($c->cmd("MAIL FROM:<ann\@example.org> BY=$by"), 250, '2.1.0', "R2852-4-a BY=$by");
		$c->cmd('RSET');
	}
	my $before = int(time);
	says($c->cmd('MAIL FROM:<ann@example.org> BY=600;RT'), 250, '2.1.0', 'a message');
	my $r = rest($c, 'ann@example.org');
	says($r, 250, '2.0.0', 'by a time');
	ok($d->log_wait(qr/q=$r->{id} .*event=accepted/), 'accepted');
	my ($by) = $d->log =~ /q=$r->{id} .*event=accepted.* deliver-by=(\d+)/;
	ok($by >= $before + 600 && $by <= time + 600, 'which is so many seconds ahead');
	reload('deliver-by { min 1m }');
	my $e;	# as above
	wait_for { $e = session('ann'); $e->{hello} =~ /^250-DELIVERBY 60\r$/m };
	like($e->{hello}, qr/^250-DELIVERBY 60\r$/m, 'R2852-4-a the minimum is offered');
	for ([ $c, 'a session from before' ], [ $e, 'a new session' ]) {
		my ($s, $name) = @$_;
		my $r = $s->cmd('MAIL FROM:<ann@example.org> BY=59;R');
		says($r, 555, '5.5.4', "R2852-4-a below the minimum, $name");
		like($r->{text}, qr/60 seconds/, 'which is told');
		says($s->cmd('MAIL FROM:<ann@example.org> BY=60;R'), 250, '2.1.0', 'at the minimum');
		$s->cmd('RSET');
		says($s->cmd('MAIL FROM:<ann@example.org> BY=1;N'), 250, '2.1.0', 'mode N has none');
		$s->cmd('RSET');
	}
};

$d->done;
done_testing;
