; test roundtrip
; test eval
; test canonical
; test plan target=x86-64-v4
; test check

graph conv {
  %x = input : f32[1, 4, 5, 5]
  %w = weight : f32[6, 2, 3, 3]
  %b = weight : f32[6]
  %y = conv2d %x, %w, %b { stride = [2, 1], padding = 1, dilation = 1, groups = 2 }
  return %y
}

; expect roundtrip
;   graph conv {
;     %x = input : f32[1, 4, 5, 5]
;     %w = weight : f32[6, 2, 3, 3]
;     %b = weight : f32[6]
;     %y = conv2d %x, %w, %b { stride = [2, 1], padding = [1, 1], dilation = [1, 1], groups = 2 } : f32[1, 6, 3, 5]
;     return %y
;   }

; expect eval
;   3330 flops
;   %y : f32[1, 6, 3, 5] = -0.73535 -1.03857 -1.06177 0.08057 0.15674 0.17090 … norm 13.02124

; expect canonical
;   graph conv {
;     %x = input : f32[1, 4, 5, 5]
;     %w = weight : f32[6, 2, 3, 3]
;     %b = weight : f32[6]
;     %3 = view %x { map = "[2, 15, 18] of 100: (-1 + 2*i1/5 + i2/6) in 5 * 5 + (-1 + i1%5 + i2/2%3) in 5 * 1 + 50*i0 + 25*i2%2 else 0.0" } : f32[2, 15, 18]
;     %4 = view %w { map = "[2, 18, 3] of 108: 54*i0 + 18*i2 + 9*i1%2 + i1/2" } : f32[2, 18, 3]
;     %5 = matmul %3, %4 : f32[2, 15, 3]
;     %6 = view %b { map = "[2, 15, 3] of 6: 3*i0 + i2" } : f32[2, 15, 3]
;     %7 = add %5, %6 : f32[2, 15, 3]
;     %y = view %7 { map = "[1, 6, 3, 5] of 90: 45*i1/3 + 15*i2 + 3*i3 + i1%3" } : f32[1, 6, 3, 5]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan conv {
;     %5 = matmul [2, 15, 18] by [18, 3] reading %x, %w
;     %y = row [1, 90] reading %5, %b
;   }

; expect check
;   %y within 1e-5 of the reference
