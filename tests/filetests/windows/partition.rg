; test roundtrip
; test eval
; test canonical
; test plan target=x86-64-v4
; test check

// A map of 6 by 9 tokens in windows of 3 by 3: one view.
graph partition {
  %x = input : f32[1, 6, 9, 4]
  %r = reshape %x { shape = [1, 2, 3, 3, 3, 4] }
  %t = transpose %r { order = [-5, -3, -4, -2, -1] }
  %w = reshape %t { shape = [6, 9, 4] }
  return %w
}

; expect roundtrip
;   graph partition {
;     %x = input : f32[1, 6, 9, 4]
;     %r = reshape %x { shape = [1, 2, 3, 3, 3, 4] } : f32[1, 2, 3, 3, 3, 4]
;     %t = transpose %r { order = [-5, -3, -4, -2, -1] } : f32[1, 2, 3, 3, 3, 4]
;     %w = reshape %t { shape = [6, 9, 4] } : f32[6, 9, 4]
;     return %w
;   }

; expect eval
;   0 flops
;   %w : f32[6, 9, 4] = -0.03125 0.15625 0.89062 -0.32812 -0.46875 0.62500 … norm 8.48344

; expect canonical
;   graph partition {
;     %x = input : f32[1, 6, 9, 4]
;     %w = view %x { map = "[6, 9, 4] of 216: 108*i0/3 + 36*i1/3 + 12*i0%3 + 4*i1%3 + i2" } : f32[6, 9, 4]
;     return %w
;   }

; expect plan target=x86-64-v4
;   plan partition {
;     %w = row [1, 216] reading %x
;   }

; expect check
;   %w within 1e-5 of the reference
