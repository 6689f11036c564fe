; test eval
; test canonical
; test plan target=x86-64-v4
; test check

// Attention inside windows that are rolled by one token; no movement is left as a kernel of its own.
graph shifted {
  %x = input : f32[1, 4, 6, 8]
  %a = roll %x { axis = -3, shift = -1 }
  %b = roll %a { axis = -2, shift = -1 }
  %r = reshape %b { shape = [1, 2, 2, 3, 2, 8] }
  %t = transpose %r { order = [-5, -3, -4, -2, -1] }
  %w = reshape %t { shape = [6, 4, 8] }
  %y = attention %w, %w, %w { scale = 0.353553 }
  %s = reshape %y { shape = [1, 2, 3, 2, 2, 8] }
  %u = transpose %s { order = [-5, -3, -4, -2, -1] }
  %v = reshape %u { shape = [1, 4, 6, 8] }
  %c = roll %v { axis = -3, shift = 1 }
  %z = roll %c { axis = -2, shift = 1 }
  return %z
}

; expect eval
;   3648 flops
;   %z : f32[1, 4, 6, 8] = 0.20304 0.26922 0.41555 -0.24818 -0.04508 0.56723 … norm 4.80521

; expect canonical
;   graph shifted {
;     %x = input : f32[1, 4, 6, 8]
;     %w = view %x { map = "[6, 4, 8] of 192: (1 + 2*i0/3 + i1/2) mod 4 * 48 + (1 + 2*i0%3 + i1%2) mod 6 * 8 + i2" } : f32[6, 4, 8]
;     %2 = scores %w, %w : f32[6, 4, 4]
;     %3 = const { value = 0.353553 } : f32[6, 4, 4]
;     %4 = mul %2, %3 : f32[6, 4, 4]
;     %y = attend %4, %w { axis = -1 } : f32[6, 4, 8]
;     %u = view %y { map = "[1, 2, 2, 3, 2, 8] of 192: 96*i1 + 32*i3 + 16*i2 + 8*i4 + i5" } : f32[1, 2, 2, 3, 2, 8]
;     %z = view %u { map = "[1, 4, 6, 8] of 192: (3 + i1) mod 4 * 48 + (5 + i2) mod 6 * 8 + i3" } : f32[1, 4, 6, 8]
;     return %z
;   }

; expect plan target=x86-64-v4
;   plan shifted {
;     %z = attend [6, 4, 4] over 8 values reading %x
;   }

; expect check
;   %z within 1e-5 of the reference
