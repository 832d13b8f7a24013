# Credentials with a scope: what a stolen printer's password is worth. Sender
# addresses, recipient domains, messages an hour, no relaying before a date.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(time);

my $d = Msad->new(start => 0);
my $port = free_port();
my %hash;

# A credential's line: user, password, restrictions.
sub line {
	my ($user, $pw, $words) = @_;
	$hash{$pw} //= do {
		my $h = `openssl passwd -6 $pw`;
		chomp $h;
		$h;
	};
	return "$user:$hash{$pw}" . (defined $words ? ":$words" : '') . "\n";
}

my $then = int(time) + 25;
my $date = strftime('%Y-%m-%dT%H:%M:%SZ', gmtime($then));
spew("$d->{dir}/passwd", join('', line('ann', 'full'),
    line('ann', 'printer', 'label=printer from=ann@example.org,@shop.example'),
    line('ann', 'form', 'label=form to=x.example,Y.example'),
    line('ann', 'slow', 'label=slow rate=3/hour'),
    line('ann', 'held', "label=held no-relay-before=$date"),
    line('bob', 'other', 'label=slow rate=2/hour'),
    line('cat', 'addsender', 'from=cat@example.org'),
    line('dan', 'elsewhere', 'from=alias@example.org')), 0600);
$d->{tables} = "table \"more\" { \"ann\" = \"sales\@example.org, \@shop.example\", " .
    "\"dan\" = \"alias\@example.org\" }\n" .
    "table \"c\" { \"cat\" = \"cat\@example.org\" }\n" .
    "table \"d\" { \"dan\" = \"dan\@example.org, alias\@example.org\" }\n" .
    "limit login off\n";
$d->{extra} = "auth \"file\" { passwd file:\"$d->{dir}/passwd\" mech plain realm \"example.org\" }\n" .
    "listen on 127.0.0.1 port $port tls pki \"main\" auth \"file\"\n";
$d->{match} = "match from auth sender <c> from-mismatch add-sender relay \"box\"\n" .
    "match from auth sender <d> from-mismatch rewrite relay \"box\"\n" .
    "match from auth sender { own, <more> } relay \"box\"\n";
$d->write_conf;
$d->start;

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
	my $r = $c->auth_plain($user, $pw);
	is($r->{code}, 235, "$user logs in with $pw") or diag($r->{text});
	return $c;
}

my $serial = 0;

sub mail {
	my ($c, $from, %o) = @_;
	$serial++;
	my $r = $c->submit($from, $o{to} // 'rcpt@x.example', 'From: <' .
	    ($o{header} // $from) . ">\r\n" . ($o{more} // '') .
	    "Subject: number $serial.\r\n\r\nx\r\n");
	$c->cmd('RSET') if $r->{code} != 250;
	return $r;
}

subtest 'sender addresses' => sub {
	my $c = login('ann', 'full');
	says(mail($c, $_), 250, '2.0.0', "without a scope: $_")
	    for 'ann@example.org', 'sales@example.org', 'x@shop.example';
	$c->quit;
	$c = login('ann', 'printer');
	says(mail($c, $_), 250, '2.0.0', "R6409-6.1-a both allow it: $_")
	    for 'ann@example.org', '"ann"@Example.ORG', 'x@shop.example';
	says(mail($c, 'sales@example.org'), 550, '5.7.1',
	    'R6409-6.1-a her address, but not the credential\'s');
	says(mail($c, 'any@else.example'), 550, '5.7.1', 'R6409-6.1-a nobody\'s');
	says(mail($c, 'ann@example.org', header => 'sales@example.org'), 550, '5.7.1',
	    'R6409-6.1-b From that the credential does not allow');
	says(mail($c, 'ann@example.org', more => "Sender: sales\@example.org\r\n"), 550, '5.7.1',
	    'R6409-6.1-b nor Sender');
	says(mail($c, 'ann@example.org', more => "Resent-From: sales\@example.org\r\n"), 550, '5.7.1',
	    'R5322-3.6.6-a nor Resent-From');
	says(mail($c, '', header => 'sales@example.org'), 550, '5.7.1',
	    'R6409-6.1-b nor with the null sender');
	says(mail($c, '', header => 'ann@example.org'), 250, '2.0.0', 'which else is allowed');
	$c->quit;
	like($d->log, qr/event=accepted user="?ann"? .*mech="?PLAIN"? proof=login label="printer"/,
	    'the log of the message says which credential');
};

subtest 'from-mismatch does not widen it' => sub {
	my $c = login('cat', 'addsender');
	says(mail($c, 'cat@example.org', header => 'boss@example.org'), 550, '5.7.1',
	    'R6409-8.1-a add-sender: From must be the credential\'s');
	says(mail($c, 'cat@example.org'), 250, '2.0.0', 'which it may be');
	$c->quit;
	$c = login('dan', 'elsewhere');
	says(mail($c, 'alias@example.org', header => 'boss@example.org'), 550, '5.7.1',
	    'rewrite: not to an address that the credential does not allow');
	says(mail($c, 'dan@example.org'), 550, '5.7.1', 'own, but not the credential\'s');
	$c->quit;
};

subtest 'recipient domains' => sub {
	my $c = login('ann', 'form');
	says($c->cmd('MAIL FROM:<ann@example.org>'), 250, '2.1.0', 'MAIL');
	says($c->cmd('RCPT TO:<r@else.example>'), 550, '5.7.1', 'R6409-6.2-a a recipient elsewhere');
	says($c->cmd('RCPT TO:<r@sub.x.example>'), 550, '5.7.1', 'R6409-6.2-a a subdomain');
	says($c->cmd('RCPT TO:<"r@x.example"@else.example>'), 550, '5.7.1', 'R6409-6.2-a by quoting');
	says($c->cmd('RCPT TO:<@x.example:r@else.example>'), 550, '5.7.1', 'R6409-6.2-a by a route');
	says($c->cmd('RCPT TO:<Postmaster>'), 550, '5.7.1', 'R6409-6.2-a our postmaster');
	says($c->cmd('RCPT TO:<one@X.example>'), 250, '2.1.5', 'the transaction continues');
	says($c->cmd('RCPT TO:<two@y.example>'), 250, '2.1.5', 'with each domain of the list');
	is($c->cmd('DATA')->{code}, 354, 'DATA');
	$c->send("From: <ann\@example.org>\r\nSubject: form\r\n\r\nx\r\n.\r\n");
	says($c->reply, 250, '2.0.0', 'R6409-6.2-a and is accepted for those');
	$c->quit;
	ok($d->mails_wait(1, qr/^Subject: form/m), 'it arrives');
	ok($d->log_wait(qr/event=delivered .*to="?\Q$_\E/), "for $_")
	    for 'one@X.example', 'two@y.example';
	unlike($d->log, qr/event=delivered .*to="?[^" ]*else\.example/, 'and for no other');
};

subtest 'messages an hour' => sub {
	my $c = login('ann', 'slow');
	my $e = login('ann', 'slow');
	says(mail($c, 'ann@example.org'), 250, '2.0.0', 'first');
	says(mail($e, 'ann@example.org'), 250, '2.0.0', 'second, by another session');
	for (1 .. 5) {
		$c->cmd('MAIL FROM:<ann@example.org>');
		$c->cmd('RSET');
	}
	says(mail($c, 'other@example.org'), 550, '5.7.1', 'what is refused does not count');
	says($c->cmd('MAIL FROM:<ann@example.org>'), 250, '2.1.0', 'third begins');
	my $r = $e->cmd('MAIL FROM:<ann@example.org>');
	says($r, 450, '4.7.1', 'P-ses-5 a fourth meanwhile');
	like($r->{text}, qr/after (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC/, 'which says until when');
	$c->cmd('RCPT TO:<r@x.example>');
	$c->cmd('DATA');
	$c->send("From: <ann\@example.org>\r\n\r\nx\r\n.\r\n");
	says($c->reply, 250, '2.0.0', 'P-ses-5 the third is accepted');
	says(mail($c, 'ann@example.org'), 450, '4.7.1', 'P-ses-5 and then no more');
	my $s = $d->msactl('-j', 'show', 'stats')->{json}[0] // {};
	cmp_ok($s->{'queue.rate.refused'} // 0, '>=', 2, 'msactl show stats counts them');
	my $f = login('ann', 'full');
	says(mail($f, 'ann@example.org'), 250, '2.0.0', 'her other credential goes on');
	my $b = login('bob', 'other');
	says(mail($b, 'bob@example.org'), 250, '2.0.0', 'another user\'s of the same label, too');
	$_->quit for $c, $e, $f, $b;
};

subtest 'no relaying before a date' => sub {
	my $c = login('ann', 'held');
	my $r = mail($c, 'ann@example.org');
	says($r, 250, '2.0.0', 'it is accepted');
	my ($id) = grep { defined } map { $_->{id} // $_->{qid} }
	    grep { $_->{from} eq 'ann@example.org' } $d->queue;
	ok($id, 'and in the queue') or diag(explain([$d->queue]));
	my $show = $d->msactl('queue', 'show', $id);
	like($show->{out}, qr/not relayed before/, 'msactl queue show says so');
	is($d->msactl('queue', 'flush', 'all')->{status}, 0, 'a flush');
	my $box = qr/^Subject: number $serial\./m;
	my $other = login('ann', 'full');
	says(mail($other, 'ann@example.org'), 250, '2.0.0', 'another message');
	ok($d->mails_wait(1, qr/^Subject: number $serial\./m), 'goes at once');
	is(scalar(grep { $_ =~ $box } $d->mails), 0, 'the first does not');
	$_->quit for $c, $other;
	is($d->stop, 0, 'stopped');
	$d->start;
	is($d->msactl('queue', 'flush', 'all')->{status}, 0, 'started, and flushed again');
	like($d->msactl('queue', 'show', $id)->{out}, qr/not relayed before/,
	    'it still waits after a restart');
	$d->kill_all;
	$d->start;
	like($d->msactl('queue', 'show', $id)->{out}, qr/not relayed before/,
	    'P1 and after a crash');
	ok(time < $then, 'all that was before its time') or diag('a slow machine');
	is(scalar(grep { $_ =~ $box } $d->mails), 0, 'and did not go');
	ok((wait_for { grep { $_ =~ $box } $d->mails } 60), 'then it arrives');
	cmp_ok(time, '>=', $then, 'not before');
};

$d->done;
done_testing;
