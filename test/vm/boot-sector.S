# A system of one sector: greets on the first serial port, sends back what is typed, counts in lines at "n", and
# switches the machine off at "q" or when its power button is pressed (QEMU's q35: ACPI registers at 0x600).
	.code16
	.globl _start
_start:
	cli
	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %ss
	mov	$0x7c00, %sp
	mov	$0x602, %dx		# which events are told: the power button
	mov	$0x100, %ax
	out	%ax, %dx
	mov	$greeting, %si
greet:	lodsb
	test	%al, %al
	jz	watch
	call	send
	jmp	greet

watch:	mov	$0x600, %dx
	in	%dx, %ax
	test	$0x100, %ax
	jnz	off
	mov	$0x3fd, %dx
	in	%dx, %al
	test	$1, %al
	jz	watch
	mov	$0x3f8, %dx
	in	%dx, %al
	cmp	$'q', %al
	je	off
	cmp	$'n', %al
	jne	echo
	incb	count
	mov	count, %al
	call	send
	mov	$'\n', %al
echo:	call	send
	jmp	watch

off:	mov	$0x604, %dx
	mov	$0x2000, %ax
	out	%ax, %dx
	hlt
	jmp	off

send:	mov	%al, %ah
	mov	$0x3fd, %dx
wait:	in	%dx, %al
	test	$0x20, %al
	jz	wait
	mov	$0x3f8, %dx
	mov	%ah, %al
	out	%al, %dx
	ret

greeting:
	.asciz	"this disk boots\r\n"
count:	.byte	'0'
	.org	510
	.word	0xaa55
