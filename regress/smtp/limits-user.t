# How much a user may send: "limit user" and "limit default", refused or held,
# over connections, reload, restart and crash; what msactl shows and resets.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;
use Time::HiRes qw(time);

my $d = Msad->new(start => 0, level => 'debug');
my $port = free_port();
my @users = qw(ann bob cat dan eve fay gus hal ida);
my $hash = `openssl passwd -6 secret`;
chomp $hash;
spew("$d->{dir}/passwd", join('', map { "$_:$hash\n" } @users) .
    "ann:" . (`openssl passwd -6 slow` =~ s/\n//r) . ":label=slow rate=2/hour\n", 0600);
$d->{extra} = "auth \"file\" { passwd file:\"$d->{dir}/passwd\" mech plain realm \"example.org\" }\n" .
    "listen on 127.0.0.1 port $port tls pki \"main\" auth \"file\"\n";
# cat also writes by a next hop that is not there
$d->{extra} .= "table \"far\" { \"cat\" = \"cat\@far.example\" }\n" .
    "relay \"far\" { host \"127.0.0.1\" port " . free_port() . " }\n";
$d->{match} = "match from auth sender own relay \"box\"\n" .
    "match from auth sender <far> relay \"far\"\n";

sub limits {
	my ($text) = @_;
	$d->{tables} = "limit login off\n$text\n";
	$d->write_conf;
}

sub says {
	my ($r, $code, $enh, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{code} == $code && $r->{enh} eq $enh, $name)
	    or diag("wanted $code $enh, got: $r->{text}");
}

sub login {
	my ($user, $pw) = @_;
	my $c = Msad::Smtp->connect($port, 20) or die 'no connection';
	$c->start_tls(SSL_ca_file => "$d->{dir}/ca.pem") or die 'no TLS';
	$c->greeting;
	$c->cmd('EHLO client.example');
	my $r = $c->auth_plain($user, $pw // 'secret');
	is($r->{code}, 235, "$user logs in") or diag($r->{text});
	return $c;
}

my $serial = 0;

sub mail {
	my ($c, $user, %o) = @_;
	my $from = $o{from} // "$user\@example.org";
	$serial++;
	my $r = $c->submit($from, $o{to} // 'rcpt@x.example',
	    "From: <$from>\r\nSubject: number $serial.\r\n\r\n" . ($o{body} // "x\r\n"),
	    mail => $o{mail});
	$c->cmd('RSET') if $r->{code} != 250;
	return $r;
}

# What is used of a user's limits.
sub used {
	my ($user) = @_;
	my $r = $d->msactl('-j', 'user', 'limits', $user);
	return join(' ', map { "$_->{limit}=$_->{used}/$_->{max}" }
	    sort { $a->{limit} cmp $b->{limit} } @{ $r->{json} });
}

limits('limit default { messages 3/hour, size 40K }');
$d->start;

subtest 'messages' => sub {
	my $c = login('ann');
	my $e = login('ann');
	says(mail($c, 'ann'), 250, '2.0.0', 'first');
	says(mail($e, 'ann'), 250, '2.0.0', 'second, by another session');
	for (1 .. 4) {
		$c->cmd('MAIL FROM:<ann@example.org>');
		$c->cmd('RSET');
	}
	says($c->cmd('MAIL FROM:<ann@example.org>'), 250, '2.1.0', 'third: what came to nothing does not count');
	my $r = $e->cmd('MAIL FROM:<ann@example.org>');
	says($r, 450, '4.7.1', 'P-ses-5 a fourth at MAIL meanwhile');
	like($r->{text}, qr/after \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/, 'P-ses-5 it says until when');
	$c->cmd('RCPT TO:<r@x.example>');
	$c->cmd('DATA');
	$c->send("From: <ann\@example.org>\r\n\r\nx\r\n.\r\n");
	says($c->reply, 250, '2.0.0', 'P-ses-5 what was begun is taken');
	says(mail($c, 'ann'), 450, '4.7.1', 'P-ses-5 and then no more');
	my $b = login('bob');
	says(mail($b, 'bob'), 250, '2.0.0', 'another user goes on');
	like($d->log, qr/event=over-limit user="?ann"? tenant="?"? limit=messages action=reject seconds=\d+/,
	    'the log says which limit');
	is(used('ann'), 'messages=3/3', 'msactl user limits');
	is(used('ann@example.org'), 'messages=3/3', 'by the whole address');
	is(used('nobody'), '', 'and nothing of nobody');
	like($d->msactl('user', 'limits', 'ann')->{out}, qr/^messages +3 +3\/hour +\S+m +ann\@example\.org$/m,
	    'as text');
	like($d->msactl('show', 'limits')->{out}, qr/bob\@example\.org/, 'msactl show limits has all');
	$_->quit for $c, $e, $b;
};

subtest 'reset' => sub {
	my $r = $d->msactl('limits', 'reset', 'ann');
	is($r->{status}, 0, 'msactl limits reset');
	like($r->{out}, qr/^1 limit reset$/m, 'which says so');
	like($d->log, qr/event=limits-reset uid=0 user="ann" tenant="" limits=1/, 'and is logged with who did it');
	is($d->msactl('limits', 'reset', 'ann')->{status}, 5, 'nothing to reset');
	my $c = login('ann');
	says(mail($c, 'ann'), 250, '2.0.0', 'she sends again');
	$c->quit;
};

subtest 'size' => sub {
	my $c = login('cat');
	says($c->cmd('MAIL FROM:<cat@example.org> SIZE=40961'), 552, '5.3.4', 'R1870-6.1-a over the size at MAIL');
	says($c->cmd('MAIL FROM:<cat@example.org> SIZE=40960'), 250, '2.1.0', 'R1870-6.1-a not at the size');
	$c->cmd('RSET');
	says(mail($c, 'cat', body => 'x' x 70 . "\r\n" . ('y' x 998 . "\r\n") x 120), 552, '5.3.4',
	    'P-ses-5 nor by saying nothing of it');
	is(used('cat'), '', 'which did not count');
	$c->quit;
};

subtest 'reload' => sub {
	limits("limit default { messages 1/hour }\n" .
	    'limit user { recipients 3/day, bytes 10K/hour, messages off }');
	ok($d->msactl('reload')->{status} == 0, 'reload');
	my $c = login('ann');
	says($c->cmd('MAIL FROM:<ann@example.org>'), 250, '2.1.0', 'the user\'s "off" goes before the default');
	$c->quit;
};

subtest 'recipients' => sub {
	my $c = login('dan');
	says($c->cmd('MAIL FROM:<dan@example.org>'), 250, '2.1.0', 'MAIL');
	says($c->cmd("RCPT TO:<$_\@x.example>"), 250, '2.1.5', "P-ses-5 $_") for qw(r1 r2 r1 r3);
	my $r = $c->cmd('RCPT TO:<r4@x.example>');
	says($r, 450, '4.7.1', 'P-ses-5 a fourth at RCPT');
	like($r->{text}, qr/after \d{4}-/, 'P-ses-5 which says until when');
	$c->cmd('DATA');
	$c->send("From: <dan\@example.org>\r\nSubject: three\r\n\r\nx\r\n.\r\n");
	says($c->reply, 250, '2.0.0', 'P-ses-5 those accepted earlier stay accepted');
	ok($d->log_wait(qr/event=delivered .*to="?\Q$_\E\@x\.example/), "P-ses-5 $_ gets it") for qw(r1 r2 r3);
	unlike($d->log, qr/event=delivered .*to="?r4\@/, 'the fourth does not');
	is(used('dan'), 'bytes=' . (used('dan') =~ /bytes=(\d+)/)[0] . '/10240 recipients=3/3', 'as msactl says');
	$c->quit;
};

subtest 'bytes' => sub {
	my $c = login('eve');
	says($c->cmd('MAIL FROM:<eve@example.org> SIZE=10241'), 552, '5.3.4', 'one that can never go');
	says($c->cmd('MAIL FROM:<eve@example.org> SIZE=9000'), 250, '2.1.0', 'by its SIZE it goes');
	$c->cmd('RCPT TO:<r@x.example>');
	my $e = login('eve');
	says($e->cmd('MAIL FROM:<eve@example.org> SIZE=2000'), 450, '4.7.1', 'P-ses-5 another one does not meanwhile');
	$c->cmd('DATA');
	$c->send("From: <eve\@example.org>\r\n\r\n" . "12345678\r\n" x 300 . ".\r\n");
	says($c->reply, 250, '2.0.0', 'it has less');
	my ($n) = used('eve') =~ /bytes=(\d+)/;
	ok($n > 3000 && $n < 4500, 'and counts as what it is') or diag($n);
	says(mail($e, 'eve', body => "12345678\r\n" x 900), 450, '4.7.1',
	    'P-ses-5 too many octets at the end of the data');
	ok((used('eve') =~ /bytes=(\d+)/)[0] <= $n, 'which are given back');
	is((used('eve') =~ /recipients=(\d+)/)[0], 1, 'with the recipient');
	says(mail($e, 'eve', body => "12345678\r\n" x 300), 250, '2.0.0', 'what is left is there');
	$_->quit for $c, $e;
};

subtest 'restart and crash' => sub {
	my $c = login('ann', 'slow');
	says(mail($c, 'ann'), 250, '2.0.0', 'one by a credential with a rate') for 1 .. 2;
	says(mail($c, 'ann'), 450, '4.7.1', 'P-ses-5 and no more');
	$c->quit;
	is($d->stop, 0, 'stopped');
	$d->start;
	like(used('dan'), qr/^bytes=\d+\/10240 recipients=3\/3$/, 'P-ses-5 all is known after a restart');
	$c = login('dan');
	$c->cmd('MAIL FROM:<dan@example.org>');
	says($c->cmd('RCPT TO:<r5@x.example>'), 450, '4.7.1', 'P-ses-5 and holds');
	$c->quit;
	$c = login('ann', 'slow');
	says(mail($c, 'ann'), 450, '4.7.1', 'P-ses-5 that of the credential, too');
	$c->quit;
	$c = login('fay');
	says(mail($c, 'fay'), 250, '2.0.0', 'another user');
	$c->quit;
	ok($d->log_wait(qr/event=accepted user="?fay.*event=limits-stored/s), 'it is written');
	$d->kill_all;
	$d->start;
	like(used('fay'), qr/recipients=1\/3/, 'P-ses-5 it is known after a crash');
	$d->msactl('limits', 'reset', 'dan');
	is($d->stop, 0, 'reset, and stopped');
	$d->start;
	is(used('dan'), '', 'a reset holds over a restart');
};

subtest 'hold' => sub {
	limits('limit user { messages 20/minute, over hold }');
	is($d->msactl('reload')->{status}, 0, 'reload');
	my $c = login('gus');
	my $began = time;
	my @r = map { mail($c, 'gus') } 1 .. 24;
	is(scalar(grep { $_->{code} == 250 } @r), 24, 'P-ses-5 what is over the rate is accepted');
	like($d->log, qr/event=over-limit user="?gus"? tenant="?"? limit=messages action=hold/, 'and logged as held');
	my @held = grep { $_->{state} eq 'held' } $d->queue;
	ok(@held >= 1 && @held <= 4, 'those are held') or diag(explain([ $d->queue ]));
	my ($first, $last) = map { $serial - $_ } 3, 0;
	ok($d->mails_wait(1, qr/^Subject: number @{[$first - 1]}\./m), 'the others are gone');
	is($d->msactl('queue', 'flush', 'all')->{status}, 0, 'a flush');
	ok((grep { $_->{state} eq 'held' } $d->queue), 'does not let them go');
	ok($d->mails_wait(1, qr/^Subject: number $first\./m), 'the first of them goes at the rate');
	cmp_ok(time - $began, '>=', 2, 'not before');
	limits('limit user { messages 2/day, over hold }');
	is($d->msactl('reload')->{status}, 0, 'reload');
	$c->quit;
	$c = login('hal');
	@r = map { mail($c, 'hal') } 1 .. 5;
	is(join(' ', map { $_->{code} } @r), '250 250 250 250 450', 'P-ses-5 as much as of a day is held, and no more');
	my ($three, $four) = ($serial - 2, $serial - 1);
	my %id = map { $_->{id} => 1 } grep { $_->{state} eq 'held' && $_->{user} eq 'hal' } $d->queue;
	is(scalar(keys %id), 2, 'two are held');
	my ($a, $b) = sort keys %id;
	like($d->msactl('queue', 'show', $a)->{out}, qr/held, as its user was over a limit/, 'msactl queue show says why');
	like($d->msactl('queue', 'list')->{out}, qr/^\Q$a\E .* held /m, 'and queue list');
	$d->kill_all;
	$d->start;
	like($d->msactl('queue', 'show', $a)->{out}, qr/held/, 'P1 held after a crash');
	like($d->msactl('queue', 'release', $a)->{out}, qr/^1 message released$/m, 'msactl queue release');
	like($d->log, qr/q=\Q$a\E event=released uid=0 .*user="?hal/, 'is logged with who did it');
	ok($d->mails_wait(1, qr/^Subject: number $three\./m), 'it goes');
	is($d->msactl('queue', 'release', $a)->{status}, 5, 'not twice');
	like($d->msactl('queue', 'show', $b)->{out}, qr/held/, 'the other one is still held');
	is($d->msactl('queue', 'remove', $b)->{status}, 0, 'and can be removed');
	is($d->msactl('queue', 'release', 'all')->{status}, 0, 'release all');
	$c->quit;
};

subtest 'raised and reset' => sub {
	limits('limit user { messages 2/day, over hold }');
	is($d->msactl('reload')->{status}, 0, 'reload');
	$d->msactl('limits', 'reset', 'bob');
	my $c = login('bob');
	my @r = map { mail($c, 'bob') } 1 .. 4;
	is(join(' ', map { $_->{code} } @r), '250 250 250 250', 'four of two a day');
	my $held = sub { scalar(grep { $_->{state} eq 'held' && $_->{user} eq 'bob' } $d->queue) };
	is($held->(), 2, 'two are held');
	limits('limit user { messages 1/day, over hold }');
	is($d->msactl('reload')->{status}, 0, 'a lower rate');
	is($held->(), 2, 'holds them');
	limits('limit user { messages 3/day, over hold }');
	is($d->msactl('reload')->{status}, 0, 'a higher one');
	ok($d->mails_wait(1, qr/^Subject: number @{[$serial - 1]}\./m), 'P-ses-5 lets the first go');
	is($held->(), 1, 'the other one is held by it');
	is($d->msactl('limits', 'reset', 'bob')->{status}, 0, 'a reset');
	ok($d->mails_wait(1, qr/^Subject: number $serial\./m), 'P-ses-5 lets that go');
	$c->quit;
	limits('limit user { messages 2/day, over hold }');
	is($d->msactl('reload')->{status}, 0, 'as before');
};

subtest 'what is released stays so' => sub {
	my $c = login('cat');
	my @r = map { mail($c, 'cat', from => 'cat@far.example') } 1 .. 3;
	is(join(' ', map { $_->{code} } @r), '250 250 250', 'three of two a day');
	my $state = sub { join(' ', sort map { $_->{state} } grep { $_->{user} eq 'cat' } $d->queue) };
	is($state->(), 'held waiting waiting', 'one is held') if ok((wait_for { $state->() !~ /inflight/ }), 'tried');
	is($d->msactl('queue', 'release', $r[2]{id})->{status}, 0, 'released');
	is($d->stop, 0, 'stopped');
	$d->start;
	ok((wait_for { $state->() eq 'waiting waiting waiting' }), 'P1 it is not held after a restart')
	    or diag($state->());
	$c->quit;
};

subtest 'JSON' => sub {
	my $c = login('ida');
	says(mail($c, 'ida'), 250, '2.0.0', 'one of ida') for 1 .. 2;
	$c->quit;
	my $r = $d->msactl('-j', 'show', 'limits');
	my ($o) = grep { $_->{user} eq 'ida@example.org' } @{ $r->{json} };
	is_deeply([ sort keys %$o ], [ qw(label limit max period tenant used user wait) ], 'members');
	is($o->{period}, 86400, 'period');
	ok($o->{wait} > 0, 'seconds until one is free');
};

$d->done;
done_testing;
