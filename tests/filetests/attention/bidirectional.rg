; test roundtrip
; test eval
; test optimize target=x86-64-v4
; test plan target=x86-64-v4
; test check

// Bidirectional attention as its authors write it: both directions from the same scores, mixed by one scalar.
graph bidirectional {
  %x = input : f32[2, 9, 12]
  %wq = weight : f32[12, 12]
  %wk = weight : f32[12, 12]
  %wv = weight : f32[12, 12]
  %wl = weight : f32[12, 12]
  %wc = weight : f32[12, 12]
  %g = weight : f32[16, 4]
  %b = weight : f32[4, 4]
  %bias = weight : f32[3, 9, 9]
  %lambda = weight : f32[]
  %xq = matmul %x, %wq
  %hq = reshape %xq { shape = [2, 9, 3, 4] }
  %q = transpose %hq { order = [-2, -3, -1] }
  %xk = matmul %x, %wk
  %hk = reshape %xk { shape = [2, 9, 3, 4] }
  %k = transpose %hk { order = [-2, -3, -1] }
  %xv = matmul %x, %wv
  %hv = reshape %xv { shape = [2, 9, 3, 4] }
  %v = transpose %hv { order = [-2, -3, -1] }
  %xl = matmul %x, %wl
  %al = gelu %xl
  %hl = reshape %al { shape = [2, 9, 3, 4] }
  %l = transpose %hl { order = [-2, -3, -1] }
  %xc = matmul %x, %wc
  %ac = gelu %xc
  %hc = reshape %ac { shape = [2, 9, 3, 4] }
  %c = transpose %hc { order = [-2, -3, -1] }
  %sa = attention %q, %k, %v, %bias { scale = 0.5 }
  %isa = inverse_attention %q, %k, %l, %c, %g, %b, %bias { scale = 0.5 }
  %mixed = mix %sa, %isa, %lambda
  %tokens = transpose %mixed { order = [-2, -3, -1] }
  %y = reshape %tokens { shape = [2, 9, 12] }
  return %y
}

; expect roundtrip
;   graph bidirectional {
;     %x = input : f32[2, 9, 12]
;     %wq = weight : f32[12, 12]
;     %wk = weight : f32[12, 12]
;     %wv = weight : f32[12, 12]
;     %wl = weight : f32[12, 12]
;     %wc = weight : f32[12, 12]
;     %g = weight : f32[16, 4]
;     %b = weight : f32[4, 4]
;     %bias = weight : f32[3, 9, 9]
;     %lambda = weight : f32[]
;     %xq = matmul %x, %wq : f32[2, 9, 12]
;     %hq = reshape %xq { shape = [2, 9, 3, 4] } : f32[2, 9, 3, 4]
;     %q = transpose %hq { order = [-2, -3, -1] } : f32[2, 3, 9, 4]
;     %xk = matmul %x, %wk : f32[2, 9, 12]
;     %hk = reshape %xk { shape = [2, 9, 3, 4] } : f32[2, 9, 3, 4]
;     %k = transpose %hk { order = [-2, -3, -1] } : f32[2, 3, 9, 4]
;     %xv = matmul %x, %wv : f32[2, 9, 12]
;     %hv = reshape %xv { shape = [2, 9, 3, 4] } : f32[2, 9, 3, 4]
;     %v = transpose %hv { order = [-2, -3, -1] } : f32[2, 3, 9, 4]
;     %xl = matmul %x, %wl : f32[2, 9, 12]
;     %al = gelu %xl : f32[2, 9, 12]
;     %hl = reshape %al { shape = [2, 9, 3, 4] } : f32[2, 9, 3, 4]
;     %l = transpose %hl { order = [-2, -3, -1] } : f32[2, 3, 9, 4]
;     %xc = matmul %x, %wc : f32[2, 9, 12]
;     %ac = gelu %xc : f32[2, 9, 12]
;     %hc = reshape %ac { shape = [2, 9, 3, 4] } : f32[2, 9, 3, 4]
;     %c = transpose %hc { order = [-2, -3, -1] } : f32[2, 3, 9, 4]
;     %sa = attention %q, %k, %v, %bias { scale = 0.5 } : f32[2, 3, 9, 4]
;     %isa = inverse_attention %q, %k, %l, %c, %g, %b, %bias { scale = 0.5 } : f32[2, 3, 9, 4]
;     %mixed = mix %sa, %isa, %lambda : f32[2, 3, 9, 4]
;     %tokens = transpose %mixed { order = [-2, -3, -1] } : f32[2, 9, 3, 4]
;     %y = reshape %tokens { shape = [2, 9, 12] } : f32[2, 9, 12]
;     return %y
;   }

; expect eval
;   61670 flops
;   %y : f32[2, 9, 12] = 0.07892 0.21483 0.11218 -0.22191 2.89289 -0.75726 … norm 12.56323

; expect optimize target=x86-64-v4
;   ; %y: 61 terms after 3 rounds, saturated; as written
;   graph bidirectional {
;     %x = input : f32[2, 9, 12]
;     %wq = weight : f32[12, 12]
;     %wk = weight : f32[12, 12]
;     %wv = weight : f32[12, 12]
;     %wl = weight : f32[12, 12]
;     %wc = weight : f32[12, 12]
;     %g = weight : f32[16, 4]
;     %b = weight : f32[4, 4]
;     %bias = weight : f32[3, 9, 9]
;     %lambda = weight : f32[]
;     %10 = const { value = 0.5 } : f32[2, 3, 9, 9]
;     %11 = view %bias { map = "[2, 3, 9, 9] of 243: 81*i1 + 9*i2 + i3" } : f32[2, 3, 9, 9]
;     %12 = view %g { map = "[4, 16] of 64: 4*i1 + i0" } : f32[4, 16]
;     %13 = view %b { map = "[4, 4] of 16: 4*i1 + i0" } : f32[4, 4]
;     %14 = sigmoid %lambda : f32[]
;     %15 = const { value = 1.0 } : f32[]
;     %16 = sub %15, %14 : f32[]
;     %17 = view %14 { map = "[2, 9, 12] of 1: 0" } : f32[2, 9, 12]
;     %18 = view %16 { map = "[2, 9, 12] of 1: 0" } : f32[2, 9, 12]
;     %xq = matmul %x, %wq : f32[2, 9, 12]
;     %q = view %xq { map = "[2, 3, 9, 4] of 216: 108*i0 + 12*i2 + 4*i1 + i3" } : f32[2, 3, 9, 4]
;     %xk = matmul %x, %wk : f32[2, 9, 12]
;     %k = view %xk { map = "[2, 3, 9, 4] of 216: 108*i0 + 12*i2 + 4*i1 + i3" } : f32[2, 3, 9, 4]
;     %23 = scores %q, %k : f32[2, 3, 9, 9]
;     %24 = mul %23, %10 : f32[2, 3, 9, 9]
;     %25 = add %24, %11 : f32[2, 3, 9, 9]
;     %xv = matmul %x, %wv : f32[2, 9, 12]
;     %v = view %xv { map = "[2, 3, 9, 4] of 216: 108*i0 + 12*i2 + 4*i1 + i3" } : f32[2, 3, 9, 4]
;     %sa = attend %25, %v { axis = -1 } : f32[2, 3, 9, 4]
;     %29 = view %sa { map = "[2, 9, 12] of 216: 108*i0 + 36*i2/4 + 4*i1 + i2%4" } : f32[2, 9, 12]
;     %30 = mul %29, %17 : f32[2, 9, 12]
;     %xl = matmul %x, %wl : f32[2, 9, 12]
;     %32 = view %xl { map = "[2, 3, 9, 1, 4] of 216: 108*i0 + 12*i2 + 4*i1 + i4" } : f32[2, 3, 9, 1, 4]
;     %33 = gelu %32 : f32[2, 3, 9, 1, 4]
;     %xc = matmul %x, %wc : f32[2, 9, 12]
;     %35 = view %xc { map = "[2, 3, 9, 4] of 216: 108*i0 + 12*i2 + 4*i1 + i3" } : f32[2, 3, 9, 4]
;     %c = gelu %35 : f32[2, 3, 9, 4]
;     %37 = matmul %c, %12 : f32[2, 3, 9, 16]
;     %38 = view %37 { map = "[2, 3, 9, 4, 4] of 864: 432*i0 + 144*i1 + 16*i2 + 4*i3 + i4" } : f32[2, 3, 9, 4, 4]
;     %39 = matmul %33, %38 : f32[2, 3, 9, 1, 4]
;     %40 = view %39 { map = "[2, 9, 12] of 216: 108*i0 + 36*i2/4 + 4*i1 + i2%4" } : f32[2, 9, 12]
;     %41 = attend %25, %c { axis = -2 } : f32[2, 3, 9, 4]
;     %42 = matmul %41, %13 : f32[2, 3, 9, 4]
;     %43 = view %42 { map = "[2, 9, 12] of 216: 108*i0 + 36*i2/4 + 4*i1 + i2%4" } : f32[2, 9, 12]
;     %44 = add %40, %43 : f32[2, 9, 12]
;     %45 = mul %44, %18 : f32[2, 9, 12]
;     %y = add %30, %45 : f32[2, 9, 12]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan bidirectional {
;     %xq = product [1, 18, 12] by [12, 12], constant %wq reading %x
;     %xk = product [1, 18, 12] by [12, 12], constant %wk reading %x
;     %25 = product [6, 9, 4] by [4, 9] reading %xq, %xk, %bias
;     %xv = product [1, 18, 12] by [12, 12], constant %wv reading %x
;     %30 = attend [6, 9, 9] over 4 values reading %25, %xv, %14
;     %xl = product [1, 18, 12] by [12, 12], constant %wl reading %x
;     %xc = product [1, 18, 12] by [12, 12], constant %wc reading %x
;     %c = row [1, 216] reading %xc
;     %38 = product [1, 54, 4] by [4, 16], constant %12 reading %c
;     %40 = product [54, 1, 4] by [4, 4] reading %xl, %38
;     %51 = row [54, 9] reading %25
;     %52 = product [6, 9, 9] by [9, 4] reading %51, %c
;     %y = product [1, 54, 4] by [4, 4], constant %13 reading %52, %40, %16, %30
;   }

; expect check
;   %y within 1e-5 of the reference
