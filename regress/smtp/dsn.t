# DSN: what is asked for with NOTIFY, RET, ENVID and ORCPT reaches the next hop,
# or the sender gets the report.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Msad;
use Test::More;

my $d = Msad->new(start => 0);
my $u = $d->account(0);
my $on = { RCPT => sub {
	$_[0] =~ /<bad/ ? '550 5.1.1 no such user' :
	$_[0] =~ /<later/ ? '450 4.2.1 mailbox busy' : undef } };
my %hop = (
	lists => $d->nexthop(ehlo => ['DSN'], on => $on),
	lacks => $d->nexthop(on => $on),
	slow => $d->nexthop(on => $on),
	old => $d->nexthop(on => $on),
	down => $d->nexthop(down => 1),
);
my %opt = (slow => 'warn 1s', old => 'warn 1s expire 3s', down => 'warn 1s');
my ($relays, $matches, $table) = ('', '', '');
for my $h (sort keys %hop) {
	$relays .= "relay \"$h\" { host \"127.0.0.1\" port $hop{$h}{port} " .
	    "retry { 1s } " . ($opt{$h} // '') . " }\n";
}
for my $h (sort keys %hop, 'box') {
	$table .= "table \"t-$h\" { \"$u->{name}\" = \"\@$h.example\" }\n";
	$matches .= "match from auth sender <t-$h> relay \"$h\"\n";
}
$d->{relay} = $relays;
$d->{tables} = $table;
$d->{match} = $matches;
$d->write_conf;
$d->start;

my $c = $d->session(0);
my $ehlo = $c->cmd('EHLO client.example');
my $serial = 0;

sub says {
	my ($r, $code, $enh, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{code} == $code && $r->{enh} eq $enh, $name)
	    or diag("wanted $code $enh, got: $r->{text}");
}

# Send a message; rcpts are [address, parameters] or addresses. The queue id.
sub mail {
	my ($hop, $params, $body, @rcpts) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $from = defined $hop ? "me\@$hop.example" : '';
	says($c->cmd("MAIL FROM:<$from>$params"), 250, '2.1.0', "MAIL$params");
	for my $r (@rcpts) {
		my ($to, $p) = ref $r ? @$r : ($r, '');
		says($c->cmd("RCPT TO:<$to>$p"), 250, '2.1.5', "RCPT $to$p");
	}
	$c->cmd('DATA');
	my $r = $c->cmd("From: <me\@$hop.example>\r\nSubject: number " .
	    ++$serial . "\r\n\r\n" . $body . "\r\n.");
	says($r, 250, '2.0.0', "accepted for $hop");
	return $r->{text} =~ /as ([0-9a-f]+)/ ? $1 : 'none';
}

# The first transaction of that hop for this recipient.
sub arrived {
	my ($hop, $to) = @_;
	my $t;
	wait_for { ($t) = grep { grep { $_ eq $to } @{ $_->{rcpts} } }
	    $hop{$hop}->transactions; $t };
	return $t;
}

# Reports that name the queue id.
sub reports {
	my ($hop, $id) = @_;
	return grep { /queue id $id / } $hop eq 'box' ? map { s/\n/\r\n/gr } $d->mails :
	    map { $_->{data} } grep { $_->{from} eq '' } $hop{$hop}->transactions;
}

sub report {
	my ($hop, $id, $n) = @_;
	my @r;
	wait_for { @r = reports($hop, $id); @r >= ($n // 1) };
	return $r[($n // 1) - 1];
}

# A DSN as python3 reads it.
sub parsed {
	my ($octets) = @_;
	my $path = "$d->{dir}/dsn";
	spew($path, $octets);
	my $py = 'import email,sys,json
m=email.message_from_binary_file(open(sys.argv[1],"rb"))
p=list(m.get_payload()) if m.is_multipart() else []
st=[dict((k.lower(),v) for k,v in x.items()) for x in (p[1].get_payload() if len(p)>1 else [])]
th=p[2].get_payload() if len(p)>2 else ""
th=th if isinstance(th,str) else th[0].as_string()
print(json.dumps({"type":m.get_content_type(),"report":m.get_param("report-type"),"parts":[x.get_content_type() for x in p],"status":st,"from":m["From"],"to":m["To"],"auto":m["Auto-Submitted"],"date":m["Date"],"id":m["Message-ID"],"third":th,"text":p[0].get_payload() if p else "","defects":[str(x) for x in m.defects]}))';
	open(my $p, '-|', 'python3', '-c', $py, $path) or die;
	local $/;
	return JSON::PP::decode_json(scalar(<$p>) || '{}');
}

# Everything of the message is done with: what has not come will not.
sub finished {
	my ($id) = @_;
	ok(wait_for { !grep { $_->{id} eq $id } $d->queue }, "$id is done");
}

subtest 'syntax' => sub {
	like($ehlo->{text}, qr/^250[- ]DSN\r?$/m, 'R3461-4-a EHLO lists DSN');
	my $from = 'MAIL FROM:<me@lists.example>';
	for my $p ('RET=FULL', 'ret=hdrs', 'ENVID=QQ314159', 'envid=a+2Bb RET=Full') {
		says($c->cmd("$from $p"), 250, '2.1.0', "R3461-4-a $p");
		$c->cmd('RSET');
	}
	for my $p ('RET=BOTH', 'RET=', 'ENVID=+0g', 'ENVID=+', 'ENVID=a=b',
	    'ENVID=+0D+0A', 'ENVID=a ENVID=a', 'RET=FULL RET=HDRS') {
		says($c->cmd("$from $p"), 501, '5.5.4', "R3461-5.1-a $p");
	}
	$c = $d->session(0);
	for my $p ('REQUIRETLS') {
		says($c->cmd("$from $p"), 555, '5.5.4', "R5321-4.1.1.11-a not offered: $p");
	}
	says($c->cmd("$from ENVID=" . 'e' x 101), 501, '5.5.4', 'R3461-5.4-a ENVID of 101');
	says($c->cmd("$from ENVID=" . 'e' x 100), 250, '2.1.0', 'R3461-5.4-a ENVID of 100');
	$c = $d->session(0);
	$c->cmd($from);
	my $to = 'RCPT TO:<a@x.example>';
	for my $p ('NOTIFY=NEVER,SUCCESS', 'NOTIFY=', 'NOTIFY=SUCCESS,', 'NOTIFY=ALWAYS',
	    'ORCPT=a@x.example', 'ORCPT=rfc822;+0D', 'ORCPT=rfc822;a=b',
	    'ORCPT=rfc822;' . 'o' x 494) {
		says($c->cmd("$to $p"), 501, '5.5.4', 'R3461-5.1-a, R3461-5.4-a ' . substr($p, 0, 30));
	}
	my $line = "$to NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;" . 'o' x 493;
	says($c->cmd($line), 250, '2.1.5', 'R3461-5.4-a ORCPT of 500');
	$line = 'RCPT TO:<b@x.example>' . ' ' x (1036 - 21 - 2 - 13) . ' NOTIFY=NEVER';
	says($c->cmd(substr($line, 0, 21) . substr($line, 22)), 250, '2.1.5',
	    'R3461-5.4-a a line of 1036 octets');
	says($c->cmd('RCPT TO:<c@x.example> notify=Delay,failure orcpt=RFC822;x'), 250, '2.1.5',
	    'R3461-4-a any case');
	$c->cmd('RSET');
};

subtest 'a next hop with DSN' => sub {
	$c = $d->session(0);
	my $id = mail('lists', ' RET=hdrs ENVID=Ab+2Bc', 'x',
	    ['one@x.example', ' NOTIFY=delay,SUCCESS ORCPT=x-Addr;Some+20One'],
	    ['t+wo@x.example', ' NOTIFY=NEVER'], 'three@x.example',
	    ['bad@x.example', ' NOTIFY=SUCCESS,FAILURE']);
	my $t = arrived('lists', 'one@x.example') or return fail('arrived');
	like($t->{mail}, qr/ RET=hdrs ENVID=Ab\+2Bc(?: |$)/, 'R3461-5.2.1-a RET and ENVID');
	my ($one, $two, $three) = @{ $t->{rcpt_args} };
	is($one, 'TO:<one@x.example> NOTIFY=delay,SUCCESS ORCPT=x-Addr;Some+20One',
	    'R3461-5.2.1-a NOTIFY and ORCPT octet for octet');
	is($two, 'TO:<t+wo@x.example> NOTIFY=NEVER ORCPT=rfc822;t+2Bwo@x.example',
	    'R3461-5.2.1-a a missing ORCPT is added');
	is($three, 'TO:<three@x.example> ORCPT=rfc822;three@x.example',
	    'R3461-5.2.1-a NOTIFY absent stays absent');
	like($d->log, qr/event=orcpt .*to="one\@x.example" orcpt="x-Addr;Some\+20One"/,
	    'R3461-4.2-a an ORCPT of somebody else is logged');
	my $r = report('lists', $id) or return fail('report');
	my $m = parsed($r);
	my ($per, @rcpt) = @{ $m->{status} };
	is(scalar @rcpt, 1, 'R3461-5.2.1-a success is the next hop\'s to report');
	is($rcpt[0]{action}, 'failed', 'R3461-5.2.6-a a failure with FAILURE is reported');
	is($per->{'original-envelope-id'}, 'Ab+c', 'R3464-2.2-a Original-Envelope-Id decoded');
	is($rcpt[0]{'original-recipient'}, undef, 'R3464-2.3-a no ORCPT, no Original-Recipient');
	finished($id);
	is(scalar(reports('lists', $id)), 1, 'R3461-5.2.8-a one report');
	my ($dsn) = grep { $_->{from} eq '' } $hop{lists}->transactions;
	like($dsn->{rcpt_args}[0], qr/^TO:<me\@lists\.example> NOTIFY=NEVER/, 'R3461-6.1-a NOTIFY=NEVER');
	unlike($dsn->{mail}, qr/RET=|ENVID=/, 'R3461-6.1-a no RET');
	mail('lists', '', 'x', 'plain@x.example');
	$t = arrived('lists', 'plain@x.example') or return;
	unlike($t->{mail}, qr/RET|ENVID/, 'R3461-5.2.1-a ENVID and RET are not invented');
};

subtest 'a next hop without DSN' => sub {
	$c = $d->session(0);
	my $id = mail('lacks', ' RET=FULL ENVID=e1', 'x',
	    ['one@x.example', ' NOTIFY=SUCCESS ORCPT=rfc822;O+2Bne@y.example'],
	    ['two@x.example', ' NOTIFY=FAILURE'], 'three@x.example',
	    ['four@x.example', ' NOTIFY=NEVER']);
	my $t = arrived('lacks', 'one@x.example') or return fail('arrived');
	unlike("$t->{mail} @{ $t->{rcpt_args} }", qr/RET|ENVID|NOTIFY|ORCPT/,
	    'R3461-5.2.2-a no parameter of DSN');
	my $never = arrived('lacks', 'four@x.example');
	is($never->{from}, '', 'R3461-5.2.2-b NOTIFY=NEVER goes with the null sender');
	is("@{ $never->{rcpts} }", 'four@x.example', 'R3461-5.2.2-b in a transaction of its own');
	is("@{ $t->{rcpts} }", 'one@x.example two@x.example three@x.example',
	    'R3461-5.2.2-b the others in theirs');
	is($never->{data}, $t->{data}, 'R3461-5.2.2-b of the same message');
	my $m = parsed(report('lacks', $id) // '');
	my ($per, @rcpt) = @{ $m->{status} // [] };
	is(scalar @rcpt, 1, 'R3461-5.2.2-a only the one who asked, R3461-5.2.8-a') or return;
	is($rcpt[0]{action}, 'relayed', 'R3461-5.2.2-a relayed');
	like($rcpt[0]{status}, qr/^2\./, 'R3464-2.3-a Status');
	is($rcpt[0]{'original-recipient'}, 'rfc822; O+ne@y.example', 'R3464-2.3-a Original-Recipient');
	is($rcpt[0]{'final-recipient'}, 'rfc822; one@x.example', 'R3464-2.3-a Final-Recipient');
	is($rcpt[0]{'will-retry-until'}, undef, 'R3464-2.3.9-a no Will-Retry-Until');
	is($per->{'original-envelope-id'}, 'e1', 'R3464-2.2-a Original-Envelope-Id');
	like($per->{'reporting-mta'}, qr/^dns; ?mail\.example\.org$/, 'R3464-2.2-a Reporting-MTA');
	ok($per->{'arrival-date'}, 'R3464-2.2-a Arrival-Date');
	is($m->{parts}[2], 'text/rfc822-headers', 'R3461-6.2-a no failure: headers only');
	is($m->{type}, 'multipart/report', 'R6522-3-a multipart/report');
	is($m->{report}, 'delivery-status', 'R6522-3-a report-type');
	is("@{ $m->{parts} }[0,1]", 'text/plain message/delivery-status', 'R6522-3-a parts');
	is($m->{auto}, 'auto-replied', 'R6522-3-a Auto-Submitted');
	ok($m->{date} && $m->{id} && $m->{from} =~ /postmaster/, 'R6522-3-a Date, Message-ID, From');
	is(scalar @{ $m->{defects} }, 0, 'R6522-3-a no defects');
	finished($id);
	is(scalar(reports('lacks', $id)), 1, 'R3461-5.2.8-a one report');
	my ($dsn) = grep { $_->{from} eq '' && $_->{rcpts}[0] =~ /^me/ }
	    $hop{lacks}->transactions;
	is($dsn->{rcpt_args}[0], 'TO:<me@lacks.example>', 'R3461-6.1-a to the sender, bare');
};

subtest 'failures' => sub {
	$c = $d->session(0);
	my $id = mail('lacks', ' ENVID=e2', 'x', ['bad1@x.example', ' NOTIFY=NEVER'],
	    ['bad2@x.example', ' NOTIFY=SUCCESS,DELAY'], ['bad3@x.example', ' NOTIFY=FAILURE'],
	    'bad4@x.example');
	my $m = parsed(report('lacks', $id) // '');
	my (undef, @rcpt) = @{ $m->{status} // [] };
	is(join(' ', sort map { $_->{'final-recipient'} } @rcpt),
	    'rfc822; bad3@x.example rfc822; bad4@x.example',
	    'R3461-5.2.6-a those who asked, and who said nothing');
	finished($id);
	is(scalar(reports('lacks', $id)), 1, 'R3461-5.2.8-a one report');
	like($d->log, qr/q=$id event=bounced .*to="bad1\@x.example".* dsn=none/,
	    'R3461-5.2.6-a a line in the log for the others');
	is($m->{parts}[2], 'text/rfc822-headers', 'R3461-6.2-a no RET: headers');
	$id = mail('lacks', '', 'x', ['bad1@x.example', ' NOTIFY=NEVER']);
	finished($id);
	is(scalar(reports('lacks', $id)), 0, 'R3461-5.2.6-a none for NEVER');
};

subtest 'what is returned' => sub {
	$c = $d->session(0);
	my $id = mail('lacks', ' RET=FULL', "line one\r\n..dots\r\nlast", 'bad@x.example');
	my $r = report('lacks', $id) or return fail('report');
	my $m = parsed($r);
	is($m->{parts}[2], 'message/rfc822', 'R3461-6.2-a RET=FULL: the message');
	like($r, qr/Content-Transfer-Encoding: 7bit\r\n\r\nReceived: .*\r\n\r\nline one\r\n\.dots\r\nlast\r\n\r\n--/s,
	    'R3461-6.2-a whole');
	$id = mail('lacks', ' RET=HDRS', 'secret body', 'bad@x.example');
	$r = report('lacks', $id) or return fail('report');
	is(parsed($r)->{parts}[2], 'text/rfc822-headers', 'R3461-6.2-a RET=HDRS: headers');
	unlike($r, qr/secret body/, 'R3461-6.2-a and no more');
	$id = mail('lacks', ' RET=FULL', join('', ('x' x 76 . "\r\n") x 14000), 'bad@x.example');
	$r = report('lacks', $id) or return fail('report');
	is(parsed($r)->{parts}[2], 'text/rfc822-headers', 'R3461-6.2-a over 1 MiB: headers');
	$id = mail('lacks', ' RET=FULL', join('', ('y' x 76 . "\r\n") x 4000), 'bad@x.example');
	$r = report('lacks', $id) or return fail('report');
	is(parsed($r)->{parts}[2], 'message/rfc822', 'R3461-6.2-a 300 kB: whole');
	cmp_ok(length $r, '>', 310000, 'R3461-6.2-a all of it');
};

subtest 'a Maildir is the end' => sub {
	$c = $d->session(0);
	my $id = mail('box', ' ENVID=e3', 'x', ['a@x.example', ' NOTIFY=SUCCESS,FAILURE'],
	    'b@x.example');
	my $m = parsed(report('box', $id) // '');
	my ($per, @rcpt) = @{ $m->{status} // [] };
	is(scalar @rcpt, 1, 'R3461-5.2.3-a the one who asked') or return;
	is($rcpt[0]{action}, 'delivered', 'R3461-5.2.3-a delivered');
	is($rcpt[0]{'remote-mta'}, undef, 'R3464-2.3.5-a no Remote-MTA');
	finished($id);
	is(scalar(reports('box', $id)), 1, 'R3461-5.2.8-a one report');
};

subtest 'delays' => sub {
	$c = $d->session(0);
	my $id = mail('slow', ' RET=FULL ENVID=e4', 'x', 'later1@x.example',
	    ['later2@x.example', ' NOTIFY=DELAY'], ['later3@x.example', ' NOTIFY=SUCCESS,FAILURE'],
	    ['later4@x.example', ' NOTIFY=NEVER']);
	my $m = parsed(report('slow', $id) // '');
	my ($per, @rcpt) = @{ $m->{status} // [] };
	is(join(' ', sort map { $_->{'final-recipient'} } @rcpt),
	    'rfc822; later1@x.example rfc822; later2@x.example',
	    'R3461-5.2.5-a NOTIFY absent or with DELAY') or return;
	is($rcpt[0]{action}, 'delayed', 'R3461-5.2.5-a delayed');
	like($rcpt[0]{status}, qr/^4\./, 'R3464-2.3-a Status');
	like($rcpt[0]{'will-retry-until'}, qr/^\w+, .*\+0000$/, 'R3464-2.3.9-a Will-Retry-Until');
	like($rcpt[0]{'diagnostic-code'}, qr/^smtp; ?450 4\.2\.1 mailbox busy/, 'R3464-2.3.5-a Diagnostic-Code');
	is($m->{parts}[2], 'text/rfc822-headers', 'R3461-6.2-a no failure: headers only');
	ok((wait_for { grep { $_->{id} eq $id && $_->{rcpts}[0]{tries} >= 5 } $d->queue }),
	    'it is still tried');
	is(scalar(reports('slow', $id)), 1, 'R3461-5.2.5-a once');
	$d->stop;
	$d->start;
	$c = $d->session(0);
	my ($before) = map { $_->{rcpts}[0]{tries} } grep { $_->{id} eq $id } $d->queue;
	ok((wait_for { grep { $_->{id} eq $id && $_->{rcpts}[0]{tries} >= $before + 3 } $d->queue }),
	    'after a restart it is still tried');
	is(scalar(reports('slow', $id)), 1, 'R3461-5.2.5-a once, over a restart too');
	$d->msactl('queue', 'remove', $id);
	$hop{down}{down} = 0;
	$id = mail('down', '', 'x', 'a@x.example');
	ok($d->log_wait(qr/q=$id event=reported-delayed/), 'R3461-5.2.5-a a host that is down');
	$hop{down}->start;
	$d->msactl('queue', 'flush');
	$m = parsed(report('down', $id) // '');
	($per, @rcpt) = @{ $m->{status} // [] };
	is($rcpt[0]{action}, 'delayed', 'R3461-5.2.5-a delayed') or return;
	is($rcpt[0]{'remote-mta'}, undef, 'R3464-2.3.5-a nobody answered: no Remote-MTA');
	is($rcpt[0]{'diagnostic-code'}, undef, 'R3464-2.3.5-a and no code');
};

subtest 'expiry' => sub {
	$c = $d->session(0);
	my $id = mail('old', '', 'x', ['later@x.example', ' NOTIFY=FAILURE']);
	my $m = parsed(report('old', $id) // '');
	my (undef, @rcpt) = @{ $m->{status} // [] };
	is(scalar @rcpt, 1, 'R3461-5.2.6-a expiry is reported') or return;
	is($rcpt[0]{action}, 'failed', 'R3464-2.3.9-a Action failed');
	like($rcpt[0]{status}, qr/^4\./, 'R3464-2.3.9-a with a temporary Status');
	is($rcpt[0]{'will-retry-until'}, undef, 'R3464-2.3.9-a no Will-Retry-Until');
	finished($id);
	is(scalar(reports('old', $id)), 1, 'R3461-5.2.5-a NOTIFY without DELAY: never delayed');
};

$c->quit;
$d->done;
done_testing;
