# SMTPUTF8 on the way out: next hops that have it and such that do not, what
# their senders are told, and reports of messages that came with it. The same
# for 8-bit content that nobody may convert.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MIME::QuotedPrint;
use Msad;
use Test::More;

my $joerg = "j\xc3\xb6rg";
my $domain = "b\xc3\xbccher.example";
my $ace = 'xn--bcher-kva.example';

my $d = Msad->new(start => 0);
my $u = $d->account(0);
my $on = { RCPT => sub { $_[0] =~ /<(?:refused|\xc3\xa9)/ ? '550 5.1.1 no such user' : undef } };
my @esmtp = ('PIPELINING', 'SIZE');
my %hop = (
	utf8 => $d->nexthop(caps => [@esmtp, '8BITMIME', 'SMTPUTF8', 'DSN'], on => $on),
	dsn => $d->nexthop(caps => [@esmtp, '8BITMIME', 'DSN'], on => $on),
	plain => $d->nexthop(caps => [@esmtp, '8BITMIME'], on => $on),
	seven => $d->nexthop(caps => [@esmtp], on => $on),
);
my ($relays, $matches, $table) = ('', '', '');
for my $h (sort keys %hop) {
	$relays .= "relay \"$h\" { host \"127.0.0.1\" port $hop{$h}{port} retry { 1s } }\n";
}
for my $h (sort keys %hop, 'box') {
	$table .= "table \"t-$h\" { \"$u->{name}\" = \"\@$h.example, \@$h.$domain\" }\n";
	$matches .= "match from auth sender <t-$h> relay \"$h\"\n";
}
$d->{relay} = $relays;
$d->{tables} = $table;
$d->{match} = $matches;
$d->write_conf;
$d->start;

my $c = $d->session(0);
my $serial = 0;

# Send a message: sender, parameters of MAIL, header fields and body, then
# recipients, or [recipient, parameters]. Its queue id.
sub mail {
	my ($from, $params, $text, @rcpts) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $r = $c->cmd("MAIL FROM:<$from>$params");
	is($r->{code}, 250, "MAIL$params") or diag($r->{text});
	for my $to (@rcpts) {
		my ($path, $p) = ref $to ? @$to : ($to, '');
		$r = $c->cmd("RCPT TO:<$path>$p");
		is($r->{code}, 250, "RCPT$p") or diag($r->{text});
	}
	$c->cmd('DATA');
	my ($author) = $text =~ /^From:/m ? '' : "From: <$from>\r\n";
	$author =~ s/\xc3\xb6/oe/ if $params !~ /SMTPUTF8/;
	$r = $c->cmd("${author}Subject: number " . ++$serial . "\r\n$text\r\n.");
	is($r->{code}, 250, 'accepted') or diag($r->{text});
	return $r->{text} =~ /as ([0-9a-f]+)/ ? $1 : 'none';
}

# The transaction of that hop with our message of this number, or the n-th one.
sub arrived {
	my ($hop, $number) = @_;
	my $t;
	wait_for { ($t) = grep { $_->{data} =~ /^Subject: number $number\r$/m &&
	    $_->{data} !~ /^Auto-Submitted/m } $hop{$hop}->transactions; $t };
	return $t;
}

sub finished {
	my ($id) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(wait_for { !grep { $_->{id} eq $id } $d->queue }, "$id is done");
}

sub report {
	my ($hop, $id) = @_;
	my $t;
	wait_for { ($t) = grep { $_->{data} =~ /queue id $id / } $hop{$hop}->transactions; $t };
	return $t;
}

# The parts of a report: [header, octets as they were meant].
sub parts {
	my ($octets) = @_;
	my ($boundary) = $octets =~ /^\tboundary="(.*)"\r$/m or return;
	my (undef, @p) = split(/\r\n--\Q$boundary\E(?:--)?\r\n/, $octets);
	return map {
		my ($h, $b) = split(/\r\n\r\n/, $_, 2);
		$b = decode_qp($b) if $h =~ /^Content-Transfer-Encoding: quoted-printable/mi;
		[$h, $b];
	} @p;
}

# What python3 makes of the report and, decoded, of the fields of its second
# part: types, defects anywhere, and the groups of fields.
sub parsed {
	my ($octets) = @_;
	my @p = parts($octets);
	spew("$d->{dir}/dsn", $octets);
	spew("$d->{dir}/status", $p[1][1] // '');
	my $py = 'import email,email.policy,sys,json
m=email.message_from_binary_file(open(sys.argv[1],"rb"),policy=email.policy.SMTPUTF8)
raw=open(sys.argv[2],"rb").read().decode("utf-8").strip()
g=[email.message_from_string(x+"\n\n") for x in raw.replace("\r\n","\n").split("\n\n")]
print(json.dumps({"type":m.get_content_type(),"report":m.get_param("report-type"),
"parts":[x.get_content_type() for x in m.get_payload()],
"cte":[x["Content-Transfer-Encoding"] for x in m.get_payload()],
"charset":m.get_payload()[0].get_content_charset(),"text":m.get_payload()[0].get_content(),
"to":m["To"],"status":[dict((k.lower(),v) for k,v in x.items()) for x in g],
"defects":[str(d) for x in m.walk() for d in x.defects]+[str(d) for x in g for d in x.defects]}))';
	open(my $f, '-|', 'python3', '-c', $py, "$d->{dir}/dsn", "$d->{dir}/status") or die;
	local $/;
	my $j = JSON::PP::decode_json(scalar(<$f>) || '{}');
	return ($j, @p);
}

subtest 'a next hop with SMTPUTF8' => sub {
	like($c->cmd('EHLO client.example')->{text}, qr/^250[- ]SMTPUTF8\r$/m,
	    'R6531-3.1-a SMTPUTF8 is listed');
	mail('me@utf8.example', ' SMTPUTF8', "\r\nascii", 'a@x.example');
	my $t = arrived('utf8', $serial) or return fail('arrived');
	unlike($t->{mail}, qr/SMTPUTF8|BODY/, 'R6531-3.2-b an ASCII message is sent without');
	mail('me@utf8.example', '', "\r\nascii", 'a@x.example');
	$t = arrived('utf8', $serial) or return fail('arrived');
	unlike($t->{mail}, qr/SMTPUTF8/, 'R6531-3.2-b nor is one that never asked for it');
	mail("$joerg\@utf8.example", ' SMTPUTF8', "\r\nascii", 'a@x.example');
	$t = arrived('utf8', $serial) or return fail('arrived');
	is($t->{from}, "$joerg\@utf8.example", 'R6531-3.2-b a sender as it is');
	like($t->{mail}, qr/ SMTPUTF8(?: |$)/, 'R6531-3.2-b and SMTPUTF8');
	mail('me@utf8.example', ' SMTPUTF8', "\r\nascii", "\xc3\xbc\@$domain",
	    ["plain\@$domain", " NOTIFY=FAILURE ORCPT=utf-8;\xc3\x84\@$domain"]);
	$t = arrived('utf8', $serial) or return fail('arrived');
	is("@{ $t->{rcpts} }", "\xc3\xbc\@$domain plain\@$domain", 'R6531-3.2-b recipients as they are');
	like($t->{mail}, qr/ SMTPUTF8(?: |$)/, 'R6531-3.2-b and SMTPUTF8');
	like($t->{rcpt_args}[0], qr/ ORCPT=utf-8;\xc3\xbc\@\Q$domain\E$/, 'R6533-3-a an added ORCPT is utf-8');
	like($t->{rcpt_args}[1], qr/ NOTIFY=FAILURE ORCPT=utf-8;(?:\xc3\x84|\\x\{C4\})\@/,
	    'R6533-3-a a given one is kept');
	mail('me@utf8.example', ' SMTPUTF8', "X-City: K\xc3\xb6ln\r\n\r\nascii", 'a@x.example');
	$t = arrived('utf8', $serial) or return fail('arrived');
	like($t->{mail}, qr/ SMTPUTF8(?: |$)/, 'R6531-3.2-b headers that need it');
	like($t->{data}, qr/^X-City: K\xc3\xb6ln\r$/m, 'R6531-3.2-b as they are');
};

subtest 'a next hop without' => sub {
	my $id = mail('me@plain.example', ' SMTPUTF8', "\r\nascii", 'a@x.example',
	    "$joerg\@x.example", 'b@x.example');
	my $t = arrived('plain', $serial) or return fail('arrived');
	is("@{ $t->{rcpts} }", 'a@x.example b@x.example',
	    'R6531-3.2-b recipients that need no SMTPUTF8 get it');
	unlike($t->{mail}, qr/SMTPUTF8/, 'R6531-3.2-b without SMTPUTF8');
	my $r = report('plain', $id) or return fail('report');
	my ($m) = parsed($r->{data});
	my ($per, @rcpt) = @{ $m->{status} };
	is(scalar @rcpt, 1, 'R6531-3.2-b a DSN of the one that needs it') or return;
	is($rcpt[0]{status}, '5.6.7', 'R6531-3.2-b 5.6.7');
	is($rcpt[0]{action}, 'failed', 'R6531-3.2-b failed');
	is($rcpt[0]{'final-recipient'}, "utf-8; j\x{f6}rg\@x.example", 'R6533-4-a Final-Recipient is utf-8');
	is($rcpt[0]{'diagnostic-code'}, undef, 'R3464-2.3.5-a nobody refused it');
	like($m->{text}, qr/SMTPUTF8/, 'the text says why');
	finished($id);
	$id = mail('me@plain.example', ' SMTPUTF8', "X-City: K\xc3\xb6ln\r\n\r\nascii", 'a@x.example',
	    'b@x.example');
	$r = report('plain', $id) or return fail('report');
	($m) = parsed($r->{data});
	is(join(' ', map { $_->{status} } @{ $m->{status} }[1, 2]), '5.6.9 5.6.9',
	    'R6531-3.2-b UTF-8 headers: 5.6.9');
	finished($id);
	is(scalar(grep { $_->{data} =~ /^X-City/m && $_->{from} ne '' } $hop{plain}->transactions), 0,
	    'R6531-3.2-b and nothing of it is sent');
	# no report can reach this one
	$id = mail("$joerg\@plain.example", ' SMTPUTF8', "From: me\@plain.example\r\n\r\nascii",
	    'a@x.example');
	ok($d->log_wait(qr/q=$id event=bounced .* status=5\.6\.7 .* dsn=[0-9a-f]+$/m),
	    'R6531-3.2-b a sender that needs it: 5.6.7');
	ok($d->log_wait(qr/event=bounced .* to="j.*rg\@plain\.example" .* status=5\.6\.[79] .* dsn=none$/m),
	    'and the report, which nobody can carry, ends in the log');
	ok(wait_for { !$d->queue }, 'the queue is empty');
};

subtest 'A-labels' => sub {
	my $id = mail("me\@dsn.$domain", ' SMTPUTF8', "From: me\@dsn.$ace\r\n\r\nascii",
	    "a\@$domain", ["b\@$domain", " ORCPT=utf-8;\xc3\x84\@$domain"],
	    ['c@x.example', ' ORCPT=utf-8;\x{C4}@x.example']);
	my $t = arrived('dsn', $serial) or return fail('arrived');
	is($t->{from}, "me\@dsn.$ace", 'R6531-3.2-c the sender');
	is("@{ $t->{rcpts} }", "a\@$ace b\@$ace c\@x.example", 'R6531-3.2-c the recipients');
	is(join(' ', map { /ORCPT=(\S+)/ } @{ $t->{rcpt_args} }),
	    'utf-8;a@b\x{FC}cher.example utf-8;\x{C4}@b\x{FC}cher.example utf-8;\x{C4}@x.example',
	    'R6531-3.2-c, R6533-3-a ORCPT keeps the original, escaped');
	unlike($t->{mail} . $t->{data}, qr/[\x80-\xff]|SMTPUTF8/, 'R6531-3.2-c and nothing is 8-bit');
	finished($id);
	# its report goes by A-label as well
	$id = mail("me\@plain.$domain", ' SMTPUTF8', "From: me\@plain.$ace\r\n\r\nascii",
	    "refused\@$domain");
	my $r = report('plain', $id) or return fail('report');
	is("@{ $r->{rcpts} }", "me\@plain.$ace", 'R6531-3.2-c the report to the sender');
	my ($m) = parsed($r->{data});
	is($m->{to}, "me\@plain.$ace", 'R6531-3.2-c and its To');
	unlike($r->{mail} . $r->{data}, qr/[\x80-\xff]|SMTPUTF8/, 'R6533-4-a nothing is 8-bit');
	is($m->{status}[1]{'final-recipient'}, "utf-8; refused\@b\x{fc}cher.example",
	    'R6533-4-a Final-Recipient as it was given');
	is_deeply($m->{defects}, [], 'R6533-4-a no defects');
};

subtest 'reports of SMTPUTF8 messages' => sub {
	my @sent = ('me@%s.example', ' SMTPUTF8 RET=%s', "X-City: K\xc3\xb6ln\r\n\r\nGr\xc3\xbc\xc3\x9fe",
	    ["\xc3\xa9t\xc3\xa9\@$domain", ' ORCPT=utf-8;\x{C9}T\x{C9}@x.example'], 'refused@x.example');
	for my $ret ('FULL', 'HDRS') {
		my $id = mail((map { sprintf($_, $_ =~ /RET/ ? $ret : 'utf8') } @sent[0, 1]), @sent[2 .. 4]);
		my $r = report('utf8', $id) or return fail('report');
		my ($m, @p) = parsed($r->{data});
		is($m->{type}, 'multipart/report', "R6533-4-a RET=$ret multipart/report");
		is($m->{report}, 'delivery-status', 'R6533-4-a report-type');
		is("@{ $m->{parts} }", 'text/plain message/global-delivery-status message/global' .
		    ($ret eq 'FULL' ? '' : '-headers'), 'R6533-4-a types');
		is("@{ $m->{cte} }", '8bit 8bit 8bit', 'R6533-4-a 8bit');
		is($m->{charset}, 'utf-8', 'R6533-4-a the text is UTF-8');
		like($r->{mail}, qr/^FROM:<>.* BODY=8BITMIME SMTPUTF8/, 'R6533-4-a sent with SMTPUTF8');
		like($p[2][1], qr/^X-City: K\xc3\xb6ln\r$/m, 'R6533-4-a the header as it was');
		like($p[2][1], qr/Gr=C3=BC|Gr\xc3\xbc/, 'R6533-4-a and the body') if $ret eq 'FULL';
		my ($per, @rcpt) = @{ $m->{status} };
		is($rcpt[0]{'final-recipient'}, "utf-8; \x{e9}t\x{e9}\@b\x{fc}cher.example",
		    'R6533-4-a Final-Recipient');
		is($rcpt[0]{'original-recipient'}, "utf-8; \x{c9}T\x{c9}\@x.example",
		    'R6533-4-a Original-Recipient');
		is($rcpt[1]{'final-recipient'}, 'rfc822; refused@x.example', 'R6533-4-a an ASCII one');
		is_deeply($m->{defects}, [], 'R6533-4-a python3 finds no defect');
		finished($id);
	}
	# refused for its header: what comes back needs no SMTPUTF8
	for my $ret ('FULL', 'HDRS') {
		my $id = mail((map { sprintf($_, $_ =~ /RET/ ? $ret : 'plain') } @sent[0, 1]), @sent[2 .. 4]);
		my $r = report('plain', $id) or return fail('report');
		my ($m, @p) = parsed($r->{data});
		is("@{ $m->{parts} }", 'text/plain message/global-delivery-status message/global' .
		    ($ret eq 'FULL' ? '' : '-headers'), "R6533-4-a RET=$ret types");
		is("@{ $m->{cte} }", 'quoted-printable quoted-printable quoted-printable',
		    'R6533-4-a encoded');
		unlike($r->{mail} . $r->{data}, qr/[\x80-\xff]|SMTPUTF8 |BODY/, 'R6533-4-a nothing is 8-bit');
		like($p[2][1], qr/^X-City: K\xc3\xb6ln$/m, 'R6533-4-a decoded, the header as it was');
		my ($per, @rcpt) = @{ $m->{status} };
		is($rcpt[0]{'final-recipient'}, "utf-8; \x{e9}t\x{e9}\@b\x{fc}cher.example",
		    'R6533-4-a Final-Recipient');
		is($rcpt[0]{'original-recipient'}, "utf-8; \x{c9}T\x{c9}\@x.example",
		    'R6533-4-a Original-Recipient');
		is(join(' ', map { $_->{status} } @rcpt), '5.6.9 5.6.9', 'R6531-3.2-b 5.6.9');
		finished($id);
	}
	my $id = mail("$joerg\@utf8.example", ' SMTPUTF8', "\r\nascii", 'refused@x.example');
	my $r = report('utf8', $id) or return fail('report');
	is("@{ $r->{rcpts} }", "$joerg\@utf8.example", 'R6533-4-a a sender outside ASCII');
	my ($m) = parsed($r->{data});
	like($r->{data}, qr/^To: <$joerg\@utf8\.example>\r$/m, 'R6533-4-a its To');
	is_deeply($m->{defects}, [], 'R6533-4-a no defects');
	$id = mail('me@utf8.example', '', "\r\nascii", 'refused@x.example');
	$r = report('utf8', $id) or return fail('report');
	($m) = parsed($r->{data});
	is($m->{parts}[1], 'message/delivery-status', 'R6522-3-a without SMTPUTF8 all is as ever');
};

subtest '8-bit content' => sub {
	my $signed = "MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b; " .
	    "protocol=\"x/y\"; micalg=z\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n" .
	    "Content-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n--b\r\n" .
	    "Content-Type: x/y\r\n\r\nsignature\r\n--b--";
	mail('me@plain.example', ' BODY=8BITMIME', $signed, 'a@x.example');
	my $t = arrived('plain', $serial) or return fail('arrived');
	like($t->{mail}, qr/ BODY=8BITMIME/, 'R6409-8-b signed: as it is to who takes it');
	is((split(/\r\n\r\n/, $t->{data}, 2))[1], (split(/\r\n\r\n/, $signed, 2))[1] . "\r\n",
	    'R6409-8-b octet for octet');
	for my $ret ('FULL', 'HDRS') {
		my $id = mail('me@seven.example', " BODY=8BITMIME RET=$ret", $signed, 'a@x.example');
		my $r = report('seven', $id) or return fail('report');
		my ($m) = parsed($r->{data});
		is($m->{status}[1]{status}, '5.6.1', "R6409-8-b RET=$ret 5.6.1 from who does not");
		unlike($r->{data}, qr/[\x80-\xff]/, 'R6409-8-b the report is one that it takes');
		finished($id);
	}
	mail('me@seven.example', ' BODY=8BITMIME', "MIME-Version: 1.0\r\nContent-Type: text/plain; " .
	    "charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe", 'a@x.example');
	$t = arrived('seven', $serial) or return fail('arrived');
	unlike($t->{mail} . $t->{data}, qr/BODY|[\x80-\xff]/, 'R6152-3-b what may be encoded was');
	mail('me@plain.example', ' BODY=8BITMIME', "\r\nascii", 'a@x.example');
	$t = arrived('plain', $serial) or return fail('arrived');
	unlike($t->{mail}, qr/BODY/, 'R6152-3-a BODY says what the message is');
};

subtest 'a Maildir takes all' => sub {
	my $id = mail("$joerg\@box.example", ' SMTPUTF8 BODY=8BITMIME', "X-City: K\xc3\xb6ln\r\n" .
	    "\r\nascii", ["\xc3\xbc\@$domain", ' NOTIFY=SUCCESS']);
	my ($m) = $d->mails_wait(1, qr/^X-City/m);
	like($m, qr/\AReturn-Path: <$joerg\@box\.example>\n/, 'R6531-3.2-b the sender');
	like($m, qr/^X-City: K\xc3\xb6ln$/m, 'R6531-3.2-b the header');
	my ($r) = $d->mails_wait(1, qr/queue id $id /);
	my ($p) = parsed(($r // '') =~ s/\n/\r\n/gr =~ s/\AReturn-Path: .*\r\n//r);
	is($p->{parts}[1], 'message/global-delivery-status', 'R6533-4-a its report');
	is($p->{cte}[1], '8bit', 'R6533-4-a in UTF-8');
	is($p->{status}[1]{'final-recipient'}, "utf-8; \x{fc}\@b\x{fc}cher.example", 'R6533-4-a of it');
	is_deeply($p->{defects}, [], 'R6533-4-a no defects');
};

subtest 'a restart loses nothing of it' => sub {
	$hop{utf8}->stop;
	my $id = mail("$joerg\@utf8.example", ' SMTPUTF8', "X-City: K\xc3\xb6ln\r\n\r\nascii", "\xc3\xbc\@$domain");
	$d->stop;
	$d->start;
	$hop{utf8}->start;
	$d->msactl('queue', 'flush');
	my $t = arrived('utf8', $serial) or return fail('arrived');
	is($t->{from}, "$joerg\@utf8.example", 'R6531-3.2-b the sender');
	like($t->{mail}, qr/ SMTPUTF8/, 'R6531-3.2-b with SMTPUTF8');
	$c = $d->session(0);
};

$c->quit;
$d->done;
done_testing;
