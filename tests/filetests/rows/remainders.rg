; test roundtrip
; test eval
; test plan target=x86-64-v4
; test check

// Of numbers of either sign by a number and by a tensor; the result has the sign of the divisor.
graph remainders {
  %x = input : f32[3, 10]
  %d = input : f32[10]
  %y = rem %x, 0.375
  %z = rem %x, -0.375
  %w = rem %x, %d
  return %y, %z, %w
}

; expect roundtrip
;   graph remainders {
;     %x = input : f32[3, 10]
;     %d = input : f32[10]
;     %2 = const { value = 0.375 } : f32[]
;     %y = rem %x, %2 : f32[3, 10]
;     %4 = const { value = -0.375 } : f32[]
;     %z = rem %x, %4 : f32[3, 10]
;     %w = rem %x, %d : f32[3, 10]
;     return %y, %z, %w
;   }

; expect eval
;   90 flops
;   %y : f32[3, 10] = 0.34375 0.15625 0.14062 0.04688 0.28125 0.25000 … norm 1.14116
;   %z : f32[3, 10] = -0.03125 -0.21875 -0.23438 -0.32812 -0.09375 -0.12500 … norm 1.17156
;   %w : f32[3, 10] = -0.03125 0.00000 0.89062 -0.32812 -0.00000 -0.15625 … norm 1.18740

; expect plan target=x86-64-v4
;   plan remainders {
;     %y = row [1, 30] reading %x
;     %z = row [1, 30] reading %x
;     %w = row [1, 30] reading %x, %d
;   }

; expect check
;   %y, %z, %w within 1e-5 of the reference
